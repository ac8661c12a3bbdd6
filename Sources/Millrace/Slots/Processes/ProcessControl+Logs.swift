import Logging
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension ProcessControl {
  /// Hands on what a worker has written to its standard error: what its logger said as that, other lines as they are.
  func log(_ lines: UnsafeRawBufferPointer, _ process: WorkerProcess) {
    let logger = host.logger(slot: process.group * slots.options.threadsPerProcess)
    // What is said of a crash is told in one line, with the death of the worker; this is all of it.
    let isDying = process.hasMarkedItsEnd
    // Split as bytes: to find characters in what may be no text takes long.
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      let mark = line.firstIndex(of: RecordLine.mark)
      if let mark, let progress = ProgressRecord(line[(mark + 1)...]) {
        if mark > line.startIndex { log(line[..<mark], logger, isDying) }
        ProgressBoard.here.take(progress, from: progressSource(process))
        continue
      }
      guard let mark, let record = LogRecord(line[(mark + 1)...]) else {
        log(line, logger, isDying || isStack(line, process))
        continue
      }
      if mark > line.startIndex { log(line[..<mark], logger, isDying) }
      logger.log(
        level: record.level, "\(record.message)", metadata: record.metadata.mapValues { .string($0) },
        source: record.source, file: record.file, function: record.function, line: record.line)
    }
  }

  func progressSource(_ process: WorkerProcess) -> RemoteProgress.Source {
    RemoteProgress.Source(pool: ObjectIdentifier(host), process: process.token)
  }

  /// Whether the line is one of those that Swift writes before a trap where no backtracer does it: numbered, behind a title.
  private func isStack(_ line: Slice<UnsafeRawBufferPointer>, _ process: WorkerProcess) -> Bool {
    let isTitle = line.elementsEqual("Current stack trace:".utf8)
    let isNumbered = line.first.map { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } == true
    process.showsStack = isTitle || process.showsStack && isNumbered
    return process.showsStack
  }

  private func log(_ line: Slice<UnsafeRawBufferPointer>, _ logger: Logger, _ isDying: Bool) {
    let text = String(decoding: line, as: UTF8.self)
    logger.log(level: isDying || text.isTrapMessage ? .debug : .info, "\(text)")
  }

  /// Nobody is to answer for a worker's end.
  func logForgiven(_ process: WorkerProcess, _ lane: RemoteLane) {
    var logger = host.logger(slot: lane.slot)
    if let child = process.child { logger[metadataKey: "process"] = "\(child.pid)" }
    logger.debug(
      "the worker came to what another thread of the program held or was doing when it was forked: another fork does what it was at"
    )
  }

  /// One line for a worker's end: of what, and with which item.
  func logDeath(
    of process: WorkerProcess, _ lane: RemoteLane, _ seat: Seat, _ cause: ItemFailure.Cause?, _ exit: ProcessExit,
    _ item: (index: Int, attempt: Int)?, _ chunk: Int?, _ errors: String, suspects: Int
  ) {
    var logger = host.logger(slot: lane.slot)
    if let child = process.child { logger[metadataKey: "process"] = "\(child.pid)" }
    let job = lane.work.inFlight.elements.first { $0.chunk.id == chunk }?.chunk.job
    if item != nil, let stage = job.flatMap(host.stage) { logger[metadataKey: "stage"] = "\(stage)" }
    if item == nil, let worker = lane.work.opening.keys.first.flatMap(host.worker) ?? lane.work.tearingDown.values.first
    {
      let who = worker.name()
      logger[metadataKey: who.key] = "\(who.name)"
    }
    let isOurs = process.isKilledByUs
    if let item, isOurs, seat.isStopping {
      guard let limit = job.flatMap(host.itemTimeout) else {
        return logger.debug("the worker was ended, for item \(item.index) is not wanted any more")
      }
      logger.warning(
        "item \(item.index), attempt \(item.attempt): took longer than \(limit); its worker was ended, and is replaced")
    } else if isOurs || seat.isBreaking || cause == nil {
      logger.debug("the worker was ended, or went with its process")
    } else if process.isEnding, exit.reason == .exited(code: 0) {
      logger.debug("the worker has ended")
    } else if let cause {
      let line = errors.fatalErrorLine.map { ", \"\($0)\"" } ?? ""
      let what = item.map { "item \($0.index), attempt \($0.attempt): " }
      let place =
        !lane.work.opening.isEmpty
        ? "in its set-up: " : !lane.work.tearingDown.isEmpty ? "in its tear-down: " : "idle: "
      let next = seat.isStopping ? "" : "; it is replaced when there is work"
      let others = suspects > 1 ? "; it is not known which of \(suspects) items did this, each is run by itself" : ""
      logger.warning("\(what ?? place)\(cause)\(line)\(others)\(next)")
    }
  }
}
