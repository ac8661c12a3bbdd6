import MillraceIPC

/// Tells a thread that sleeps on descriptors that there is no use in that any more: some of them were closed.
///
/// A pipe to which nothing is ever written. Whoever sleeps on its reading end holds it, whatever becomes of the number, and is
/// woken by the end of the writing one.
final class Lifeline: Sendable {
  private let ends: (reading: SharedDescriptor, writing: SharedDescriptor)

  init() throws(SystemCallError) {
    let pipe = try Pipe()
    ends = (SharedDescriptor(owning: pipe.reading.take()), SharedDescriptor(owning: pipe.writing.take()))
  }

  /// To sleep on.
  var reading: Int32 { ends.reading.rawValue }

  /// Whether its number is still its own, and not that of something newer.
  var isIntact: Bool { ends.reading.isIntact }

  /// Wakes who sleeps on it, for good.
  func cut() { ends.writing.close() }

  /// Nobody sleeps on it any more.
  func close() {
    ends.writing.close()
    ends.reading.close()
  }
}
