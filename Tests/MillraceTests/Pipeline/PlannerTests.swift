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

  @Test("U325: a layout gives no backend to what runs in the program")
  func layoutOfWhatRunsInTheProgram() {
    let pipeline: Pipeline<Nothing, Int> = Pipeline<Nothing, Int> {
      Items(1...2)
      Broadcast {
        AddX(amount: 1)
        AddX(amount: 2)
      }
    }.options(StageOptions(on: .processes(1)))
    #expect(
      pipeline.layout().split(separator: "\n").dropLast().map { $0.prefix { $0 != "≤" && $0 != "←" } } == [
        "Items ×1 ", ">> AddX ×auto on processes(1) ", ">> AddX 2 ×auto on processes(1) ", ">> >> merge ",
      ])
    let wide: Pipeline<Nothing, Int> = Pipeline { Parallel(3) { Pipeline<Nothing, Int> { Items(1...2) } } }
    #expect(wide.layout().hasPrefix("Items ×1"))
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
    }.options(StageOptions(window: .itemsPerWorker(10)))
    #expect(
      pipeline.layout(on: WorkerPool.threads3) == """
        Items ×1 ≤ 10
        >> AddX ×auto ≤ 30 ← Items
        >> AddX 2 ×auto ≤ 30 ← Items
        >> >> AddX 3 ×auto ≤ 30 ← AddX 2
        >> >> AddX 4 ×auto ≤ 30 ← AddX 2
        >> >> >> merge ≤ 32 ← AddX 3, AddX 4
        >> >> >> >> merge 2 ≤ 32 ← AddX, merge
        >> >> >> >> >> AddX 5 ×2 ≤ 20 ← merge 2
        at most 410 items at once, edges included
        """)
    let svg = pipeline.layoutSVG()
    #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>"))
    #expect(svg.components(separatedBy: "<rect").count == 9 && svg.components(separatedBy: "<line").count == 10)
  }

  /// The last line of a layout.
  private func sum<Input, Output>(_ pipeline: Pipeline<Input, Output>) -> String {
    String(pipeline.layout().split(separator: "\n").last ?? "")
  }

  private func most(_ parts: [Int]) -> String {
    "at most \(parts.reduce(0, +)) items at once, edges included"
  }

  @Test("what a pipeline may hold at once is said, or what makes it that there is no bound")
  func bounds() {
    let few = StageOptions(window: .items(10))
    let line = Pipeline<Int, Int> { AddX() }.stage(Tap("See") { _ in }).take(5).options(few)
    // Three windows, two edges, and the output's with what its consumer was handed.
    #expect(sum(line) == most([10, 10, 10, 16, 16, 16 + 16 + 10]))
    // What it keeps is besides, and an array is what is in it.
    let batch = Pipeline<Int, Int> { AddX() }.batch(4).options(few)
    #expect(sum(batch) == most([10, 16, 4 * 10 + 3, 4 * (16 + 16 + 10)]))
    let sort = Pipeline<Int, Int> { AddX() }.sorted(within: 100, by: <).options(few)
    #expect(sum(sort) == most([10, 16, 110, 16 + 16 + 10]))
    // Of branches of which nobody knows what they make of one, an edge may become as wide as edges do.
    let join = Pipeline<Int, (Int, [Int])>.graph { flow in
      let all = flow.map(with: AddX())
      return zip(all, all.batch(4))
    }.options(few)
    let rows = 5 * 65_536
    #expect(sum(join) == most([10, 16, 43, rows, rows, 5 * 32, 10 * 65_536]))
    // Without a window the map's own says how many, in the long run.
    let width = WorkerPool.usableCPUs
    #expect(Pipeline<Int, Int> { AddX() }.layout().contains(">> AddX ×auto ≤ \(65_536 * width) ← in"))

    let many = Pipeline<Int, Int> { FlatMap { (item: Int) in [item, item] } }.batch(4, within: .seconds(1)).options(few)
    #expect(sum(many) == "no bound on items: FlatMap may make any number of an item")
    #expect(many.layout().contains(">> FlatMap ×auto ≤ ∞ ← in"))
    struct Own: Stage {
      func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) {}
    }
    let own = Pipeline<Int, Int> { Own() }.batch(bytes: 10) { _ in 1 }
    #expect(
      sum(own) == "no bound on items: Own may make any number of an item; Batch keeps what has no number of items")
    let chunks = Pipeline<Int, Int> { AddX() }.options(StageOptions(window: .chunksPerWorker(2)))
    #expect(sum(chunks) == "no bound on items: AddX has a window of chunks, or of more items than can be counted")
    let living = line.batch(4).options(StageOptions(lifespan: MapOptions.Lifespan(items: 10)))
    #expect(
      sum(living) == "no bound on items: Batch has a lifespan: what its workers have kept waits for its end")
  }

  @Test("options are inherited, but for names")
  func options() {
    let inner = Pipeline<Int, Int> { AddX() }.options(StageOptions(name: "inner", onFailure: .skip))
    let outer = inner.options(StageOptions(name: "outer", order: .completion, onFailure: .collect))
    let stage = Blueprint(outer).stages.last
    #expect(stage?.name == "inner" && stage?.options.onFailure == .skip && stage?.options.order == .completion)
  }
}

extension WorkerPool {
  /// Of which nothing is ever asked, so nothing of it is started.
  fileprivate static var threads3: WorkerPool { try! WorkerPool(.threads(3)) }
}

extension String {
  fileprivate func components(separatedBy separator: String) -> [Substring] {
    split(separator: separator, omittingEmptySubsequences: false)
  }
}
