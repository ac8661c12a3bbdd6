import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Faults {
  /// What Millrace changes in the whole program.
  @Suite(.forks) struct HostMemory {
    // The address sanitizer has an allocator of its own.
    @Test(
      "15.1: the program keeps its freed memory only if it was asked to", .disabled(if: AddressSanitizer.isOn))
    func keeps() async throws {
      for (asked, expected) in [("false", "gives back"), ("true", "keeps")] {
        let lines = try await onPlainThread {
          let program = try TestProgram(["keeps", "forkServer", asked])
          defer { _ = program.wait() }
          return program.rest()
        }
        #expect(lines == [expected], "asked: \(asked)")
      }
    }
  }
}
