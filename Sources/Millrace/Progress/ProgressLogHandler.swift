public import Logging

/// A log handler for programs that draw bars: it writes each record as a line to standard error, above the bars if there are any, whole.
///
/// ```swift
/// LoggingSystem.bootstrap { ProgressLogHandler(label: $0) }
/// ```
///
/// A line has the level, the label, the message and then the metadata, as in `warning crawler: not found page=12`. The metadata is the
/// logger's, over it that of the provider, over that the record's own.
public struct ProgressLogHandler: LogHandler {
  /// The lowest level that is written.
  public var logLevel: Logger.Level
  /// What each line ends with.
  public var metadata: Logger.Metadata = [:]
  /// Gives more of it, when something is logged.
  public var metadataProvider: Logger.MetadataProvider?
  private let label: String
  private let terminal: ProgressTerminalState?

  /// Creates a handler.
  ///
  /// - Parameters:
  ///   - label: The logger's, which each line names.
  ///   - level: The lowest level that is written.
  ///   - metadataProvider: Gives more metadata. Default: that of `LoggingSystem`.
  public init(
    label: String, level: Logger.Level = .info,
    metadataProvider: Logger.MetadataProvider? = LoggingSystem.metadataProvider
  ) {
    self.init(label: label, level: level, metadataProvider: metadataProvider, terminal: nil)
  }

  /// - Parameter terminal: where to; nil: standard error.
  package init(
    label: String, level: Logger.Level, metadataProvider: Logger.MetadataProvider?, terminal: ProgressTerminalState?
  ) {
    self.label = label
    logLevel = level
    self.metadataProvider = metadataProvider
    self.terminal = terminal
  }

  /// A value of ``metadata``.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes a line.
  public func log(event: LogEvent) {
    var all = metadata
    if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
    if let more = event.metadata { all.merge(more) { $1 } }
    if let error = event.error { all["error.message"] = "\(error)" }
    let details = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    (terminal ?? ProgressBoard.shared.terminal).print("\(event.level) \(label): \(event.message)\(details)")
  }
}
