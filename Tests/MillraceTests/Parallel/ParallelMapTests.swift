import Millrace
import Testing

@Suite("parallelMap and its family", .timeLimit(.minutes(1)))
struct ParallelMapTests {
  @Test(arguments: [0, 1, 2, 3, 7, 1000, 100_000], [nil, 1, 2, 9])
  func resultsAreInOrder(count: Int, width: Int?) {
    let items = Array(0..<count)
    #expect(items.parallelMap(width: width) { $0 * 3 } == items.map { $0 * 3 })
    #expect((0..<count).parallelMap(width: width, grain: 7) { "\($0)" } == items.map { "\($0)" })
    #expect(items.reversed().parallelMap(width: width, grain: 1) { $0 + 1 } == items.reversed().map { $0 + 1 })
  }

  @Test func closuresMayCapture() {
    let offset = Int.random(in: 1...9)
    let table = ["a", "b", "c"]
    let outputs = (0..<5000).parallelMap { table[$0 % 3] + "\(offset)" }
    let expected = (0..<5000).map { table[$0 % 3] + "\(offset)" }
    #expect(outputs == expected)
  }

  @Test func slicesAndNoncontiguousCollections() {
    let slice = Array(0..<100)[20..<70]
    #expect(slice.parallelMap { $0 } == Array(20..<70))
    #expect(Array("abc").parallelMap { $0.uppercased() } == ["A", "B", "C"])
    let backwards = Array(0..<50).reversed()
    #expect(backwards.parallelMap(grain: 3) { $0 } == Array(backwards))
  }

  @Test(arguments: [nil, 1, 3, 1000])
  func everyItemOnce(grain: Int?) {
    let counters = Counters(10_000)
    (0..<10_000).parallelForEach(grain: grain) { counters.add(at: $0) }
    #expect(counters.values.allSatisfy { $0 == 1 })
  }

  @Test func everyPartOnce() {
    let counters = Counters(10_000)
    (0..<10_000).parallelForEachPart { part in for i in part { counters.add(at: i) } }
    #expect(counters.values.allSatisfy { $0 == 1 })
    let slices = Counters(3)
    ["a", "b", "c"].parallelForEachPart(grain: 2) { part in for i in part.indices { slices.add(at: i) } }
    #expect(slices.values == [1, 1, 1])
  }

  @Test(arguments: [0, 1, 5, 20_000])
  func filterAndCompactMapKeepOrder(count: Int) {
    let items = Array(0..<count)
    #expect(items.parallelFilter { $0 % 3 == 0 } == items.filter { $0 % 3 == 0 })
    #expect(
      items.parallelCompactMap { $0 % 7 == 1 ? "\($0)" : nil } == items.compactMap { $0 % 7 == 1 ? "\($0)" : nil })
    let optionals = items.map { $0 % 2 == 0 ? Optional($0) : nil }
    #expect(optionals.parallelFilter { $0 != 4 } == optionals.filter { $0 != 4 })
  }

  @Test(arguments: [0, 1, 2, 5000], [nil, 1, 3])
  func reduceNeedsAssociativityOnly(count: Int, grain: Int?) {
    let words = (0..<count).map { "\($0) " }
    #expect(words.parallelReduce("> ", grain: grain, +) == words.reduce("> ", +))
    let numbers = Array(0..<count)
    #expect(numbers.parallelReduce(17, grain: grain, +) == numbers.reduce(17, +))
    let gathered = numbers.parallelReduce(into: [Int](), grain: grain) {
      $0.append($1)
    } merge: {
      $0 += $1
    }
    #expect(gathered == numbers)
  }

  @Test func reduceIntoDictionary() {
    let counts = (0..<30_000).parallelReduce(into: [:]) {
      $0[$1 % 10, default: 0] += 1
    } merge: {
      $0.merge($1, uniquingKeysWith: +)
    }
    #expect(counts == Dictionary(uniqueKeysWithValues: (0..<10).map { ($0, 3000) }))
  }

  /// Pieces as large as this get huge pages.
  @Test func largeResults() {
    let count = 2_000_000
    let squares = (0..<count).parallelMap { $0 &* $0 }
    #expect(squares.count == count)
    #expect(squares[0] == 0 && squares[count - 1] == (count - 1) * (count - 1) && squares[777_777] == 777_777 * 777_777)
  }
}
