import Millrace

struct AddOne: StatelessWorker {
  func process(_ item: Int) -> Int { item + 1 }
}

struct Times: StatelessWorker, Codable {
  var factor: Int
  func process(_ item: Int) -> Int { item * factor }
}

/// Refuses every item that leaves the given remainder.
struct Picky: StatelessWorker, Codable {
  var modulus: Int
  var remainder: Int

  func refuses(_ item: Int) -> Bool { item % modulus == remainder }

  func process(_ item: Int) throws -> Int {
    if refuses(item) { throw Refused(item: item) }
    return item * 2
  }
}

/// Counts its items, and hands the count back.
struct Counting: Worker, Codable {
  var modulus = 0

  func setUp(_ context: WorkerContext) -> Int { 0 }

  func process(_ item: Int, state count: inout Int) throws -> Int {
    count += 1
    if modulus > 0, item % modulus == 0 { throw Refused(item: item) }
    return count
  }

  func tearDown(_ count: Int) -> Int { count }
}

/// Runs until nobody wants it any more, on the items that it is told.
struct Stuck: Worker, Codable {
  var items: Set<Int>

  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) async -> Int {
    while items.contains(item), !context.isCancelled { try? await Task.sleep(for: .milliseconds(1)) }
    return item
  }
}

struct Refused: Error, Codable, Equatable { var item: Int }

/// An error that cannot be sent as it is.
struct Opaque: Error, CustomStringConvertible {
  var description: String
}
