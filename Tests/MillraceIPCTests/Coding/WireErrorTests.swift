import Foundation
import MillraceIPC
import Testing

@Suite struct WireErrorTests {
  struct Rich: Error, Codable, Equatable {
    var path: String
    var line: Int
  }

  enum Plain: Error { case first, second, third }

  enum Named: String, Error, Codable { case missing, broken }

  struct Marker: Error, Equatable {}

  enum Mixed: Error {
    case text(String)
    case nothing
  }

  struct Opaque: Error, CustomStringConvertible {
    let text = "an opaque error"
    var description: String { text }
  }

  private enum Hidden: Error { case here, there }

  struct Unencodable: Error, Codable {
    func encode(to encoder: any Encoder) throws { throw Marker() }
  }

  func send(_ error: any Error) throws -> WireError {
    var writer = ByteWriter()
    try WireError(error).encode(into: &writer)
    return try WireError.decode(from: writer.bytes)
  }

  @Test func codableErrorsComeBack() throws {
    let error = try send(Rich(path: "/a", line: 7))
    #expect(error.value as? Rich == Rich(path: "/a", line: 7))
    #expect(error.typeName == "MillraceIPCTests.WireErrorTests.Rich")
    #expect(error.description == "Rich(path: \"/a\", line: 7)")
    #expect(try send(Named.broken).value as? Named == .broken)
  }

  @Test func plainEnumsComeBack() throws {
    for plain in [Plain.first, .second, .third] { #expect(try send(plain).value as? Plain == plain) }
    #expect(try send(CancellationError()).value is CancellationError)
    #expect(try send(Marker()).value as? Marker == Marker())
  }

  @Test func privateAndLocalErrorsArriveToo() throws {
    struct Local: Error, Codable, Equatable { var code: Int }
    enum Word: Error { case yes, no }
    #expect(try send(Local(code: 7)).value as? Local == Local(code: 7))
    #expect(try send(FileLocal(code: 8)).value as? FileLocal == FileLocal(code: 8))
    #expect(try send(Word.no).value as? Word == .no)
  }

  @Test func otherErrorsComeAsText() throws {
    for error in [Mixed.text("no"), Mixed.nothing, Opaque(), Unencodable()] as [any Error] {
      let sent = try send(error)
      #expect(sent.value == nil)
      #expect(sent.description == String(describing: error))
    }
    #expect(try send(Mixed.text("no")).typeName == "MillraceIPCTests.WireErrorTests.Mixed")
  }

  @Test func longDescriptionsAreCut() throws {
    struct Long: Error, CustomStringConvertible {
      var description: String { String(repeating: "水", count: 100_000) }
    }
    let error = try send(Long())
    #expect(error.description.utf8.count <= WireError.descriptionLimit + 6)
    #expect(error.description.hasSuffix("…"))
  }

  @Test func anErrorPassedOnStaysItself() throws {
    let once = try send(Rich(path: "/a", line: 7))
    let twice = try send(once)
    #expect(twice.typeName == once.typeName)
    #expect(twice.value as? Rich == Rich(path: "/a", line: 7))
  }

  @Test func typesThatAreNotFoundLeaveTheTexts() throws {
    var writer = ByteWriter()
    try WireError(Rich(path: "/a", line: 7)).encode(into: &writer)
    let unknown = try WireError.decode(from: writer.bytes) { _ in nil }
    #expect(unknown.value == nil)
    #expect(unknown.description == "Rich(path: \"/a\", line: 7)")
    let wrong = try WireError.decode(from: writer.bytes) { _ in Int.self }
    #expect(wrong.value == nil)
    let undecodable = try WireError.decode(from: writer.bytes) { _ in Named.self }
    #expect(undecodable.value == nil)
  }

  @Test func casesThatDoNotExistAreRefused() throws {
    var writer = ByteWriter()
    try WireError(Plain.third).encode(into: &writer)
    // Two cases only, and none at all: the bytes of a third are no value of theirs.
    #expect(try WireError.decode(from: writer.bytes) { _ in Hidden.self }.value == nil)
    #expect(try WireError.decode(from: writer.bytes) { _ in Never.self }.value == nil)
    #expect(try WireError.decode(from: writer.bytes) { _ in Mixed.self }.value == nil)
    #expect(try WireError.decode(from: writer.bytes) { _ in Plain.self }.value as? Plain == .third)
  }

  @Test func namesWithAddressesAreNotFollowed() {
    func find(_ name: String) -> Any.Type? { TypeReference(bytes: [1] + Array(name.utf8)).resolve() }
    #expect(find("\u{1}abcd") == nil)
    #expect(find("") == nil)
    #expect(find(String(repeating: "Say", count: 5000)) == nil)
    #expect(find("Si") is Int.Type)
  }
}

private struct FileLocal: Error, Codable, Equatable { var code: Int }
