import Millrace
import Testing

/// What is written, what it is a blueprint of, and what of it runs together.
@Suite struct PlannerTests {
  struct AddX: StatelessWorker, Codable {
    var amount = 1
    func process(_ item: Int) -> Int { item + amount }
  }

  struct Text: StatelessWorker, Codable {
    func process(_ item: Int) -> String { "\(item)" }
  }

  private func plan<Input, Output>(
    _ pipeline: Pipeline<Input, Output>, order: MapOptions.Order = .input
  ) -> [String] {
    let blueprint = Blueprint(pipeline)
    return Planner.stations(of: blueprint, order: order).map { station in
      station.stages.map { blueprint.stages[$0].name }.joined(separator: "+") + " \(station.kind)"
        + (station.isOrdered ? " ordered" : "")
    }
  }

  @Test("neighbours that may run anywhere are one station")
  func fusion() {
    let pipeline: Pipeline<Nothing, [Int]> = Pipeline {
      Items(1...5)
      AddX()
      Filter { (item: Int) in item > 2 }
      AddX()
      Batched(2)
    }
    #expect(plan(pipeline) == ["Items source ordered", "AddX+Filter+AddX 2 elastic ordered", "Batch floating ordered"])
  }

  @Test("who sees items in order, who has slots of his own, and who has another reader is a station of his own")
  func limits() {
    let pipeline: Pipeline<Nothing, String> = Pipeline {
      Items(1...5)
      AddX()
      Parallel(3) { AddX() }
      Print()
      AddX()
      Text()
    }
    #expect(
      plan(pipeline) == [
        "Items source ordered", "AddX elastic ordered", "AddX 2 elastic ordered", "Print floating ordered",
        "AddX 3+Text elastic ordered",
      ])
    // What comes before who sees items in order is in order all the same.
    #expect(
      plan(pipeline, order: .completion).suffix(3) == [
        "AddX 2 elastic ordered", "Print floating", "AddX 3+Text elastic",
      ])
    let fork = Pipeline<Int, (Int, String)>.graph { flow in
      let first = flow.map(with: AddX())
      return zip(first.map(with: AddX()), first.map(with: Text()))
    }
    #expect(
      plan(fork) == [
        "in wiring ordered", "AddX elastic ordered", "AddX 2 elastic ordered", "Text elastic ordered",
        "zip wiring ordered",
      ])
  }

  @Test("the three ways to write a pipeline are one thing")
  func surfaces() {
    let built: Pipeline<Int, String> = Pipeline {
      AddX()
      Text()
    }
    let chained = Pipeline<Int, Int> { AddX() }.map(with: Text())
    let drawn = Pipeline<Int, String>.graph { $0.map(with: AddX()).map(with: Text()) }
    #expect(built.layout() == chained.layout() && chained.layout() == drawn.layout())
  }

  @Test("a layout is a line for each stage")
  func layout() {
    let pipeline: Pipeline<Nothing, Int> = Pipeline {
      Items(1...2)
      Broadcast {
        AddX(amount: 1_000)
        Pipeline {
          AddX(amount: 10)
          Broadcast {
            AddX(amount: 100)
            AddX(amount: 200)
          }
        }
      }
      Parallel(2) { AddX() }
    }
    #expect(
      pipeline.layout() == """
        Items ×1
        >> AddX ×auto ← Items
        >> AddX 2 ×auto ← Items
        >> >> AddX 3 ×auto ← AddX 2
        >> >> AddX 4 ×auto ← AddX 2
        >> >> >> merge ← AddX 3, AddX 4
        >> >> >> >> merge 2 ← AddX, merge
        >> >> >> >> >> AddX 5 ×2 ← merge 2
        """)
    let svg = pipeline.layoutSVG()
    #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>"))
    #expect(svg.components(separatedBy: "<rect").count == 9 && svg.components(separatedBy: "<line").count == 10)
  }

  @Test("options are inherited, but for names")
  func options() {
    let inner = Pipeline<Int, Int> { AddX() }.options(StageOptions(name: "inner", onFailure: .skip))
    let outer = inner.options(StageOptions(name: "outer", order: .completion, onFailure: .collect))
    let stage = Blueprint(outer).stages.last
    #expect(stage?.name == "inner" && stage?.options.onFailure == .skip && stage?.options.order == .completion)
  }
}

extension String {
  fileprivate func components(separatedBy separator: String) -> [Substring] {
    split(separator: separator, omittingEmptySubsequences: false)
  }
}
