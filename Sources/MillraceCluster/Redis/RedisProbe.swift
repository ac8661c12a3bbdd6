#if Cluster
import Millrace
import MillraceIPC
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Looks at a server with which no connection came about, for a reason that can be said.
struct RedisProbe: Sendable {
  let address: RedisAddress
  let group: any EventLoopGroup

  private static let limit: Duration = .seconds(2)

  /// Whether it answers somebody who speaks without TLS.
  func speaksPlainly() async -> Bool {
    var plain = address
    plain.isSecure = false
    guard let connection = try? await RedisConnection.open(plain, nil, on: group, within: Self.limit) else {
      return false
    }
    // A refusal for want of a password is an answer, too.
    let answers = try? await connection.ask([["PING"]], within: Self.limit)
    await connection.close()
    return answers != nil
  }

  /// The certificates that it shows; nil, if it does not speak TLS. They are looked at, and nothing else is said to it.
  func certificates() async -> [NIOSSLCertificate]? {
    let found = Lock<[NIOSSLCertificate]?>(nil)
    let name = address.serverName
    let bootstrap = ClientBootstrap(group: group)
      .connectTimeout(.nanoseconds(Int64(clamping: Self.limit.nanoseconds)))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let context = try NIOSSLContext(configuration: .makeClientConfiguration())
          let handler = try NIOSSLClientHandler(context: context, serverHostname: name) {
            (certificates: [NIOSSLCertificate], promise: EventLoopPromise<NIOSSLVerificationResult>) in
            found.withLock { $0 = certificates }
            promise.succeed(.failed)
          }
          try channel.pipeline.syncOperations.addHandlers([handler, EndOnError()])
        }
      }
    guard let channel = try? await bootstrap.connect(host: address.host, port: address.port).get() else { return nil }
    let alarm = channel.eventLoop.scheduleTask(in: .nanoseconds(Int64(clamping: Self.limit.nanoseconds))) {
      channel.close(promise: nil)
    }
    try? await channel.closeFuture.get()
    alarm.cancel()
    return found.withLock { $0 }
  }

  /// Why its certificate was not believed, in more words than "no".
  func verdict() async -> String? {
    guard let certificates = await certificates(), let first = certificates.first else { return nil }
    let now = time(nil)
    for certificate in certificates {
      if certificate.notValidAfter < now {
        return "its certificate has expired, on \(Self.day(certificate.notValidAfter))"
      }
      if certificate.notValidBefore > now {
        return "its certificate is valid from \(Self.day(certificate.notValidBefore)) on, or the clock here is wrong"
      }
    }
    let whom = address.tls.authorities == nil ? "whom this system trusts (ca= in the address names others)" : "of ca="
    return "nobody \(whom) has signed its certificate, \(first)"
  }

  private static func day(_ time: time_t) -> String {
    var (time, parts) = (time, tm())
    gmtime_r(&time, &parts)
    func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + "\(number)" }
    return "\(parts.tm_year + 1_900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
  }
}

private final class EndOnError: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
#endif
