import Millrace
import TestSupport
import Testing

extension Checked {
  /// Numbers and backends of groups that mean nothing.
  @Suite(.timeLimit(.minutes(1))) struct GroupRefusals {
    private func refusal(_ pipeline: Pipeline<Int, Int>) async -> String {
      do {
        return "\(try await pipeline.list(of: 0..<3))"
      } catch {
        return "\(error)"
      }
    }

    private let add = AddX(amount: 1)

    @Test("numbers of branches and instances that mean nothing are refused when the pipeline begins")
    func numbers() async {
      for count in [0, -1, 5_000, .max, .min] {
        let allowed = "is \(count): it has to be 1 to 4096"
        #expect(await refusal(By(count, add)) == "By \(allowed)")
        #expect(await refusal(As(count, add)) == "As \(allowed)")
        #expect(await refusal(Parallel(count) { add }) == "Parallel \(allowed)")
        #expect(await refusal(Pipeline { add }.parallel(count, add)) == "parallel \(allowed)")
        // What runs in one slot whatever the group says.
        #expect(await refusal(Parallel(count) { Tap("Look") { (_: Int) in } }) == "Parallel \(allowed)")
        #expect(await refusal(Pipeline { By(count, add) }.options(StageOptions(onFailure: .skip))) == "By \(allowed)")
        #expect(Parallel(count) { add }.layout().contains("AddX"))
      }
      let none: Pipeline<Int, Int> = AnyOf {}
      #expect(await refusal(none) == "AnyOf is empty: it has to be of one branch at least")
      let nobody: Pipeline<Int, Int> = Broadcast {}
      #expect(await refusal(nobody) == "Broadcast is empty: it has to be of one branch at least")
      let nothing = Pipeline<Int, Int>.graph { _ in merge() }
      #expect(await refusal(nothing) == "merge is empty: it has to be of one flow at least")
    }

    @Test("U271: a layout says what would be refused, in the words of the error, and counts nothing")
    func layouts() async {
      let careful = Pipeline { add }
      let refused: [Pipeline<Int, Int>] = [
        Parallel(0) { add }, careful.throttle(1, per: .zero), careful.take(-1), AnyOf {},
        Pipeline<Int, Int>.graph { _ in merge() }, Parallel(3, on: .serial) { add },
        careful.options(StageOptions(window: .items(0))), careful.options(StageOptions(on: .threads(0))),
        careful.options(StageOptions(timeouts: MapOptions.Timeouts(item: .zero))),
        careful.through(Pipeline { Tap("See") { (_: Int) in } }.options(StageOptions(retry: .upTo(-1)))),
      ]
      for pipeline in refused {
        let lines = pipeline.layout().split(separator: "\n")
        let words = await refusal(pipeline)
        #expect(words.contains("it has to be") && lines.last.map(String.init) == "refused: \(words)")
        #expect(!lines.contains { $0.contains("≤") })
      }
      #expect(careful.layout().split(separator: "\n").last?.hasPrefix("at most") == true)
    }

    @Test("a backend that does not fit its group is refused, with what would do")
    func backends() async {
      #expect(
        await refusal(Parallel(1, on: .threads(2)) { add })
          == "Parallel(1, on:) is threads(2): it has to be as wide as the group is: threads(1), or without a width")
      #expect(
        await refusal(Parallel(3, on: .serial) { add })
          == "Parallel(3, on:) is serial: it has to be what may have 3 slots, as Parallel(3, on: .threads())")
      #expect(
        await refusal(Pipeline { add }.parallel(3, on: .tasks(2), add))
          == "parallel(3, on:) is tasks(2): it has to be as wide as the group is: tasks(3), or without a width")
      #expect(
        await refusal(Parallel(2) { add }.options(StageOptions(on: .serial)))
          == "Parallel(2) is on serial: it has to be on what may have 2 slots, as Parallel(2, on: .threads())")
      #expect(await refusal(Parallel(2, on: .threads(2)) { add }) == "[1, 2, 3]")
      #expect(await refusal(Parallel(1, on: .serial) { add }) == "[1, 2, 3]")
    }
  }
}
