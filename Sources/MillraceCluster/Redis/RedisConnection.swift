#if Cluster
import Millrace
import MillraceIPC
import NIOCore
import NIOPosix
import NIOSSL

/// One connection to a server. Answers come in the order of the commands, so a command that is not answered in time ends it.
final class RedisConnection: Sendable {
  private let channel: any Channel

  private init(_ channel: any Channel) { self.channel = channel }

  /// Connects. What is said first, a password for one, is the client's affair.
  ///
  /// - Parameter security: nil: what is said can be read on the way. Whom it does not trust, the first question fails for.
  static func open(
    _ address: RedisAddress, _ security: NIOSSLContext?, on group: any EventLoopGroup, within limit: Duration
  ) async throws -> RedisConnection {
    let bootstrap = ClientBootstrap(group: group)
      .connectTimeout(.nanoseconds(Int64(clamping: limit.nanoseconds)))
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let security {
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: security, serverHostname: address.serverName))
          }
          try channel.pipeline.syncOperations.addHandler(RedisHandler())
        }
      }
    do {
      return RedisConnection(try await bootstrap.connect(host: address.host, port: address.port).get())
    } catch {
      throw EngineError.unreachable("\(address): \(error)")
    }
  }

  var isOpen: Bool { channel.isActive }

  /// Sends commands in one go, and waits for all their answers. A refusal is an answer too.
  func ask(_ commands: [RESPCommand], within limit: Duration) async throws -> [RESPValue] {
    var bytes = channel.allocator.buffer(capacity: commands.reduce(0) { $0 + $1.room })
    for command in commands { command.encode { bytes.writeBytes($0) } }
    let promise = channel.eventLoop.makePromise(of: [RESPValue].self)
    let request = RedisRequest(
      bytes: bytes, count: commands.count,
      limit: .nanoseconds(Int64(clamping: limit.nanoseconds)),
      name: commands.first?.name ?? "", promise: promise)
    // Where the channel is closed already, its handler never sees the request.
    channel.writeAndFlush(request).whenFailure { promise.fail($0) }
    do { return try await promise.futureResult.get() } catch { throw EngineError.ofConnection(error) }
  }

  func close() async { try? await channel.close().get() }
}

/// Commands that are sent together.
struct RedisRequest: Sendable {
  let bytes: ByteBuffer
  let count: Int
  let limit: TimeAmount
  let name: String
  let promise: EventLoopPromise<[RESPValue]>
}

/// Requests out, answers in.
private final class RedisHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = RedisRequest
  typealias OutboundOut = ByteBuffer

  private struct Waiting {
    let request: RedisRequest
    var answers: [RESPValue] = []
    let alarm: Scheduled<Void>
  }

  private var parser = RESPParser()
  private var waiting: CircularBuffer<Waiting> = []
  private var end: EngineError?
  private var channel: (any Channel)?

  func handlerAdded(context: ChannelHandlerContext) { channel = context.channel }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let request = unwrapOutboundIn(data)
    if let end {
      request.promise.fail(end)
      promise?.fail(end)
      return
    }
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let alarm = context.eventLoop.scheduleTask(in: request.limit) {
      let (handler, context) = this.value
      handler.fail(.unreachable("no answer to \(request.name) in time"), context)
    }
    waiting.append(Waiting(request: request, alarm: alarm))
    context.write(wrapOutboundOut(request.bytes), promise: promise)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    parser.append(unwrapInboundIn(data).readableBytesView)
    do {
      while let answer = try parser.next() {
        guard !waiting.isEmpty else { return fail(.unreachable("an answer to no question"), context) }
        waiting[waiting.startIndex].answers.append(answer)
        guard waiting[waiting.startIndex].answers.count == waiting[waiting.startIndex].request.count else { continue }
        let done = waiting.removeFirst()
        done.alarm.cancel()
        done.request.promise.succeed(done.answers)
      }
    } catch {
      // It will not be another server the next time.
      fail(.refused("it speaks something else than Redis: \(error)"), context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(.unreachable("the connection was closed"), context)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(.ofConnection(error), context) }

  private func fail(_ error: EngineError, _ context: ChannelHandlerContext) {
    if end == nil { end = error }
    let lost = waiting
    waiting.removeAll()
    for one in lost {
      one.alarm.cancel()
      one.request.promise.fail(error)
    }
    context.close(promise: nil)
  }
}
#endif
