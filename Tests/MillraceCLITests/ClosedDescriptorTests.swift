#if CLI
import Foundation
import Testing

/// The command, started without some of its standard descriptors.
@Suite(.timeLimit(.minutes(1)))
struct ClosedDescriptorTests {
  private static let closings = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]

  @Test("U4: the results are all there, or it is said that they cannot be written", arguments: closings)
  func resultsAreThereOrMissed(closing: String) throws {
    for mode in ["", "-k", "--line-buffer"] {
      let result = try Tool.shell("$M -j 2 \(mode) echo hi ::: a b c \(closing)")
      if closing.contains(" >&-") || closing.hasPrefix(">&-") {
        #expect(result.exitCode != 0)
        if !closing.contains("2>&-") {
          #expect(result.error == "millrace: cannot write to standard output: Bad file descriptor\n")
        }
      } else {
        #expect(result.exitCode == 0 && result.error == "")
        #expect(result.lines.sorted() == ["hi a", "hi b", "hi c"])
      }
    }
  }

  @Test("U4: a standard input that is closed is no empty one", arguments: ["<&-", "<&- 2>&-"])
  func closedInput(closing: String) throws {
    let result = try Tool.shell("$M echo \(closing)")
    #expect(result.exitCode != 0 && result.text == "")
    if !closing.contains("2>&-") {
      #expect(result.error == "millrace: cannot read standard input: Bad file descriptor\n")
    }
  }

  @Test("U4: jobs have their three descriptors all the same", arguments: ["<&-", "2>&-", "<&- 2>&-"])
  func jobs(closing: String) throws {
    let result = try Tool.shell("$M 'ls /proc/self/fd; :' ::: a \(closing)")
    #expect(Set(result.lines).isSuperset(of: ["0", "1", "2"]))
  }
}
#endif
