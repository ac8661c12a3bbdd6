import Logging
import Millrace
import MillraceIPC

/// What was logged.
final class Heard: Sendable {
  private let texts = Lock<[String]>([])

  var lines: [String] { texts.withLock { $0 } }
  fileprivate func hear(_ line: String) { texts.withLock { $0.append(line) } }

  var logger: Logger { Logger(label: "heard") { _ in Ear(heard: self) } }
}

private struct Ear: LogHandler {
  let heard: Heard
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { heard.hear("\(event.message)") }
}
