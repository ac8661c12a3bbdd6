#if os(Linux)
import CMillrace

/// The two ends of a pipe, close-on-exec, never numbered 0 to 2.
///
/// Frozen, so that they may be taken apart.
@frozen
package struct Pipe: ~Copyable, Sendable {
  package let reading: Descriptor
  package let writing: Descriptor

  package init() throws(SystemCallError) {
    var ends: [Int32] = [-1, -1]
    let error = millrace_pipe(&ends)
    guard error == 0 else { throw SystemCallError("pipe2", error) }
    reading = Descriptor(owning: ends[0])
    writing = Descriptor(owning: ends[1])
  }

  /// Once another process has the writing end, ours has to go, or the reading one never ends.
  package consuming func closeWriting() -> Descriptor { reading }
}
#endif
