import CMillrace
import Logging
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a worker's logger says, on its way to the program's logger: a line of the worker's standard error, which begins
/// with a mark. So it is in order with whatever else the worker writes there, and is there still when the worker has died.
struct LogRecord: Equatable {
  var level: Logger.Level
  var source: String
  var file: String
  var function: String
  var line: UInt
  var message: String
  var metadata: [String: String]

  static var mark: UInt8 { RecordLine.mark }

  /// The line, with its end: no longer than what is passed on as one.
  var bytes: [UInt8] {
    let whole = wholeBytes
    guard whole.count > LineRelay.standardLimit else { return whole }
    var record = self
    // What is escaped takes more room.
    record.message = Self.cut(message, LineRelay.standardLimit / 8)
    let short = record.wholeBytes
    guard short.count > LineRelay.standardLimit else { return short }
    record.metadata = metadata.count > 256 ? [:] : metadata.mapValues { Self.cut($0, 256) }
    let shorter = record.wholeBytes
    guard shorter.count > LineRelay.standardLimit else { return shorter }
    record.metadata = [:]
    return record.wholeBytes
  }

  private static func cut(_ text: String, _ most: Int) -> String {
    guard text.utf8.count > most else { return text }
    return String(decoding: text.utf8.prefix(most), as: UTF8.self) + "… (of \(text.utf8.count) bytes)"
  }

  private var wholeBytes: [UInt8] {
    var fields = [level.rawValue, source, file, function, String(line), message]
    for (key, value) in metadata { fields += [key, value] }
    return RecordLine.bytes(fields)
  }

  /// Reads what stands between the mark and the end of the line; nil if that is no record.
  init?(_ bytes: some Collection<UInt8>) {
    guard let fields = RecordLine.fields(bytes), fields.count >= 6, fields.count.isMultiple(of: 2),
      let level = Logger.Level(rawValue: fields[0]), let line = UInt(fields[4])
    else { return nil }
    self.level = level
    (source, file, function, message) = (fields[1], fields[2], fields[3], fields[5])
    self.line = line
    metadata = [:]
    for index in stride(from: 6, to: fields.count, by: 2) { metadata[fields[index]] = fields[index + 1] }
  }

  init(
    level: Logger.Level, source: String, file: String, function: String, line: UInt, message: String,
    metadata: [String: String]
  ) {
    self.level = level
    (self.source, self.file, self.function, self.line) = (source, file, function, line)
    (self.message, self.metadata) = (message, metadata)
  }

  /// A worker's standard error as one would have it in a terminal: each record as its level and message.
  static func readable(_ text: String) -> String {
    guard text.utf8.contains(mark) else { return text }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).compactMap { line -> String? in
      guard let start = line.utf8.firstIndex(of: mark) else { return String(line) }
      let rest = line.utf8[line.utf8.index(after: start)...]
      // Bars are for the terminal.
      if ProgressRecord(rest) != nil { return start == line.startIndex ? nil : String(line[..<start]) }
      guard let record = LogRecord(rest) else { return String(line) }
      return line[..<start] + "\(record.level): \(record.message)"
    }
    return lines.joined(separator: "\n")
  }
}

/// Of the logger that a worker in a process of its own gets: hands everything to the program.
struct WorkerLogHandler: LogHandler {
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  /// Threads of one process take turns, so that long lines stay whole.
  private static let turn = Lock(())

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    // What is at hand now, where nothing else was said: a logger may have been kept from a set-up.
    var all: Logger.Metadata = [:]
    if let context = WorkerContext.current, context.position.isInItem { all["item"] = "\(context.index)" }
    all.merge(metadata) { $1 }
    // Of this process: what it says may depend on the item's task, which the program's does not see.
    if let provided = (metadataProvider ?? LoggingSystem.metadataProvider)?.get() { all.merge(provided) { $1 } }
    if let more = event.metadata { all.merge(more) { $1 } }
    let record = LogRecord(
      level: event.level, source: event.source, file: event.file, function: event.function, line: event.line,
      message: "\(event.message)", metadata: all.mapValues { "\($0)" })
    Self.write(record.bytes)
  }

  /// Writes a whole line.
  static func write(_ bytes: [UInt8]) {
    turn.withLock { _ in
      bytes.withUnsafeBytes { millrace_write_all(STDERR_FILENO, $0.baseAddress, UInt($0.count)) }
    }
  }
}
