import Foundation
import Millrace

// vimap's document, in the order of its lines, as "Coming from vimap" shows it.

/// What the document's `requests.Session` is: whatever client is at hand.
final class Session {
  let timeout: Double
  private(set) var isOpen = true
  init(timeout: Double) { self.timeout = timeout }
  func get(_ url: String) throws -> String {
    guard isOpen else { throw CocoaError(.fileNoSuchFile) }
    return "<title>\(url)</title>"
  }
  func close() { isOpen = false }
}

enum VimapDocumentSnippets {
  static func doubling(_ inputs: [Int]) async throws -> [Int] {
    let outputs = try await withWorkerPool(.processes()) { pool in
      try await pool.map(inputs, order: .completion) { x in x * 2 }
    }

    return outputs
  }

  struct GetURL: Worker, Codable {
    var timeout: Double

    func setUp(_ context: WorkerContext) async throws -> Resources<Session> {
      try await Resources { opening in opening.add(Session(timeout: timeout)) { $0.close() } }
    }

    func process(_ url: String, state connection: inout Resources<Session>) throws -> String {
      try connection.value.get(url)
    }
  }

  static func pages() async throws -> [String] {
    let pages = try await withWorkerPool(.processes(2)) { pool in
      try await pool.map(
        ["http://www.google.com/", "http://www.yahoo.com/"], with: GetURL(timeout: 5), order: .completion)
    }

    return pages
  }

  struct Searched {
    var index: FileHandle
    var found: FileHandle
  }

  struct Search: Worker, Codable {
    var path: String

    func setUp(_ context: WorkerContext) async throws -> Resources<Searched> {
      try await Resources { opening in
        let index = try opening.add(open(path)) { try $0.close() }
        let found = try opening.add(open("/dev/null")) { try $0.close() }
        return Searched(index: index, found: found)
      }
    }

    func process(_ offset: UInt64, state: inout Resources<Searched>) throws -> Int {
      try state.index.seek(toOffset: offset)
      return try state.index.read(upToCount: 1)?.count ?? 0
    }
  }

  static func open(_ path: String) throws -> FileHandle {
    guard let file = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileNoSuchFile) }
    return file
  }

  struct Indexed: Worker, Codable {
    var indices: [Int]

    func setUp(_ context: WorkerContext) -> Int { indices[context.slot] }
    func process(_ item: Int, state workerIndex: inout Int) -> Int { item * workerIndex }
  }

  static func indices(_ items: Range<Int>) async throws -> [Int] {
    let indices = [1, 2_000]
    let products = try await withWorkerPool(.processes(indices.count)) { pool in
      try await pool.map(items, with: Indexed(indices: indices))
    }

    return products
  }

  static func iterating(_ pool: WorkerPool, _ inputs: [Int]) async throws -> ([Int], [Int: Int]) {
    var outputs: [Int] = []
    for try await output in pool.outputs(of: inputs, order: .completion, { $0 * 2 }) { outputs.append(output) }

    var pairs: [Int: Int] = [:]
    for try await outcome in pool.outcomes(of: inputs, order: .completion, { $0 * 2 }) {
      pairs[outcome.input] = try outcome.output
    }

    return (outputs, pairs)
  }

  struct Document: Sendable {
    var title: String
    var text: String
  }

  struct Text: Sendable {
    @Unsent var document: Document?
    var text: String
  }

  static func pretransformed(_ pool: WorkerPool, _ documents: [Document]) async throws -> [String: Int] {
    let texts = documents.lazy.map { Text(document: $0, text: $0.text.lowercased()) }
    var counts: [String: Int] = [:]
    for try await outcome in pool.outcomes(of: texts, { $0.text.split(separator: " ").count }) {
      counts[outcome.input.document!.title] = try outcome.output
    }

    return counts
  }

  struct Report: Codable {
    var words: [String: Int] = [:]
    var failures: [String: String] = [:]
  }

  static func fileRunner(_ directory: URL) async throws -> Data {
    let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
    let paths = files.filter { $0.pathExtension == "txt" }.map(\.path)
    let report = try await withWorkerPool(.processes(4)) { pool in
      let options = MapOptions(progress: .lines("files"))
      return try await pool.outcomes(of: paths, with: CountWords(), options: options).reduce(into: Report()) {
        switch $1.result {
        case .success(let words): $0.words[$1.input] = words
        case .failure(let failure): $0.failures[$1.input] = "\(failure)"
        }
      }
    }
    let json = try JSONEncoder().encode(report)

    return json
  }
}
