import Millrace
import Synchronization
import TestSupport
import Testing

private protocol Shape: Sendable { var area: Double { get } }
private struct Square: Shape {
  var side = 2.0
  var area: Double { side * side }
}
private struct Circle: Shape { var name = "circle", area = 3.0 }
private final class Blob: Shape { let area = 5.0 }

private protocol Holder<Content>: Sendable {
  associatedtype Content
  var content: Content { get }
}
private struct Box<Content: Sendable>: Holder { var content: Content }
/// Its argument need not be copyable.
private struct Named<T: ~Copyable>: Sendable { var name: String }
private struct Pair { var shape: any Shape, count: Int }
private enum Figure: Sendable { case plain(any Shape), many([any Shape]), none }

private func opaque() -> some Shape { Square(side: 3) }

private struct AreaWorker: StatelessWorker {
  let unit: any Shape
  func process(_ item: any Shape) -> (any Shape)? { item.area > unit.area ? item : nil }
}

private let shapes: [any Shape] = [Square(), Circle(), Blob()]

extension Checked {
  /// Items of every kind of type, whatever reflection knows of it.
  @Suite struct TypeKinds {
    @Test("U1: existentials are items, outputs and workers' properties like others", arguments: Backends.shared)
    func existentials(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map(shapes) { $0.area } == [4, 3, 5])
        #expect(try await pool.map(0..<3) { shapes[$0] }.map(\.area) == [4, 3, 5])
        #expect(try await pool.map(shapes, with: AreaWorker(unit: Circle())).map { $0?.area } == [4, nil, 5])
        #expect(try await pool.run(shapes[1], with: AreaWorker(unit: Blob())) == nil)
        #expect(try await pool.map([1, "a", nil] as [(any Sendable)?]) { $0 is Int } == [true, false, false])
        let holders: [any Holder<Int>] = [Box(content: 1), Box(content: 2)]
        #expect(try await pool.map(holders) { $0.content } == [1, 2])
        let both: [any Shape & AnyObject] = [Blob()]
        #expect(try await pool.map(both) { $0.area } == [5])
        #expect(try await pool.map([AnyHashableItem(1), AnyHashableItem("a")]) { $0 } == [.init(1), .init("a")])
      }
    }

    @Test("U1: so is what holds them", arguments: Backends.shared)
    func holders(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map(shapes.map { Box(content: $0) }) { $0.content.area } == [4, 3, 5])
        #expect(try await pool.map(shapes.map { ($0, [$0]) }) { $0.0.area + $0.1[0].area } == [8, 6, 10])
        #expect(try await pool.map(shapes.map { ["a": $0] }) { $0["a"]?.area } == [4, 3, 5])
        #expect(try await pool.map(shapes.map { Pair(shape: $0, count: 2) }) { $0.shape.area } == [4, 3, 5])
        #expect(try await pool.map(shapes.map { Optional($0) } + [nil]) { $0?.area } == [4, 3, 5, nil])
        let figures = [Figure.plain(Square()), .many(shapes), .none]
        let areas = try await pool.map(figures) { figure in
          switch figure {
          case .plain(let shape): shape.area
          case .many(let all): all.map(\.area).reduce(0, +)
          case .none: 0.0
          }
        }
        #expect(areas == [4, 12, 0])
        let results = [Result<any Shape, any Error>.success(Blob()), .failure(CancellationError())]
        let values = try await pool.map(results) { try? $0.get().area }
        #expect(values == [5, nil])
      }
    }

    @Test("U1: and types, functions, objects, and generic types over what cannot be copied", arguments: Backends.shared)
    func others(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let types: [any Shape.Type] = [Square.self, Circle.self]
        #expect(try await pool.map(types) { "\($0)" } == ["Square", "Circle"])
        #expect(try await pool.map([Int.self]) { "\($0)" } == ["Int"])
        let functions: [@Sendable (Int) -> Int] = [{ $0 + 1 }, { $0 * 10 }]
        #expect(try await pool.map(functions) { $0(4) } == [5, 40])
        #expect(try await pool.map(0..<2) { functions[$0] }.map { $0(1) } == [2, 10])
        #expect(try await pool.map([Blob(), Blob()]) { $0.area } == [5, 5])
        #expect(try await pool.map([opaque(), opaque()]) { $0.area } == [9, 9])
        #expect(try await pool.map([Named<Mutex<Int>>(name: "a")]) { $0.name } == ["a"])
        let paths: [any KeyPath<Square, Double> & Sendable] = [\.side, \.area]
        #expect(try await pool.map(paths) { Square()[keyPath: $0] } == [2, 4])
        let tasks = [Task { 7 }]
        let values = try await pool.map(tasks) { await $0.value }
        #expect(values == [7])
      }
    }

    @Test("U1: processes refuse them by name, before anything is started", arguments: Backends.isolating)
    func refused(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        func refusal(_ body: () async throws -> Void) async throws -> String {
          let error = try await #require(throws: WorkerPoolError.self) { try await body() }
          #expect(error.kind == .notTransportable)
          return "\(error)"
        }
        let input = try await refusal { _ = try await pool.map(shapes) { $0.area } }
        #expect(input.contains("Shape") && input.contains("it is an existential"))
        let output = try await refusal { _ = try await pool.map(0..<3) { shapes[$0] } }
        #expect(output.contains("Shape") && output.contains("it is an existential"))
        let optional = try await refusal { _ = try await pool.map([nil] as [(any Sendable)?]) { _ in } }
        #expect(optional.contains("Any is an existential"))
        let pair = try await refusal { _ = try await pool.map([Pair(shape: Square(), count: 1)]) { _ in } }
        #expect(pair.contains("its property shape, of type") && pair.contains("is an existential"))
        let figure = try await refusal { _ = try await pool.map([Figure.none]) { _ in } }
        #expect(figure.contains("its case plain, of type") && figure.contains("is an existential"))
        let type = try await refusal { _ = try await pool.map([Int.self]) { _ in } }
        #expect(type.contains("Swift.Int.Type") && type.contains("it is a type"))
        let function = try await refusal { _ = try await pool.map([{}] as [@Sendable () -> Void]) { _ in } }
        #expect(function.contains("it is a function"))
        let object = try await refusal { _ = try await pool.map([Blob()]) { _ in } }
        #expect(object.contains("Blob"))
        #expect(try await pool.map([1]) { $0 + 1 } == [2])
      }
    }
  }
}

/// `AnyHashable` is not `Sendable`.
private struct AnyHashableItem: Hashable, @unchecked Sendable {
  let value: AnyHashable
  init(_ value: some Hashable & Sendable) { self.value = value }
}
