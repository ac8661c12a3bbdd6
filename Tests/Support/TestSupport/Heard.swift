package import Logging
import MillraceIPC

/// What was logged.
package final class Heard: Sendable {
  package struct Line: Sendable {
    package var level: Logger.Level
    package var message: String
    package var metadata: [String: String]
  }

  private let all = Lock<[Line]>([])

  package init() {}

  package var lines: [Line] { all.withLock { $0 } }
  package var messages: [String] { lines.map(\.message) }
  package func messages(at level: Logger.Level) -> [String] { lines.filter { $0.level == level }.map(\.message) }

  /// - Parameter metadata: of the logger's own.
  package func logger(
    _ level: Logger.Level = .info, label: String = "heard", metadata: Logger.Metadata = [:]
  ) -> Logger {
    Logger(label: label) { _ in Ear(heard: self, logLevel: level, metadata: metadata) }
  }

  private struct Ear: LogHandler {
    let heard: Heard
    var logLevel: Logger.Level
    var metadata: Logger.Metadata

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let all = metadata.merging(event.metadata ?? [:]) { $1 }
      let line = Line(level: event.level, message: "\(event.message)", metadata: all.mapValues { "\($0)" })
      heard.all.withLock { $0.append(line) }
    }
  }
}
