import MillraceIPC
import Testing

/// Types found again: here in one process; across processes by every launch of a private `WorkerMain`.
struct TypeReferenceTests {
  private struct Inner {}
  private final class Counter {}
  private enum Choice { case one }
  private struct Generic<Value> {}
  struct Visible<Value> {}

  private func isFound(_ type: Any.Type) -> Bool {
    guard let reference = TypeReference(type) else { return false }
    return TypeReference(bytes: reference.bytes).resolve() == type
  }

  @Test func findsTypesOfAnyVisibility() {
    struct Local { let text: String }
    final class LocalClass {}
    actor LocalActor {}
    enum LocalChoice { case one(Local) }
    let types: [Any.Type] = [
      Int.self, [String: [Int]].self, (Int, String).self, Visible<Int>.self, Visible<Visible<String>>.self,
      Inner.self, Counter.self, Choice.self, Local.self, LocalClass.self, LocalActor.self, LocalChoice.self,
      FileLocal.self,
    ]
    for type in types { #expect(isFound(type), "\(type)") }
  }

  @Test func refusesWhatCannotBeFound() {
    #expect(TypeReference(Generic<Int>.self) == nil)
    #expect(TypeReference(Visible<Inner>.self) == nil)
  }

  @Test func hostileBytesResolveToNothing() {
    #expect(TypeReference(bytes: []).resolve() == nil)
    #expect(TypeReference(bytes: [1]).resolve() == nil)
    #expect(TypeReference(bytes: [3, 1]).resolve() == nil)
    #expect(TypeReference(bytes: [2, 0]).resolve() == nil)
    #expect(TypeReference(bytes: [2] + Array(repeating: 0xff, count: 8)).resolve() == nil)
    #expect(TypeReference(bytes: [2, 0, 0, 0, 0, 0, 0, 0, 0x7f]).resolve() == nil)
    // No place in the image but those of descriptors is followed, however near to one.
    let offsets = (0..<200_000).map { _ in UInt64.random(in: 0..<1 << 24) }
    for offset in offsets {
      let reference = TypeReference(bytes: [2] + (0..<8).map { UInt8(truncatingIfNeeded: offset >> ($0 * 8)) })
      if let type = reference.resolve() { #expect(TypeReference(type) != nil) }
    }
    #expect(WorkerIntroduction(bytes: []) == nil)
    #expect(WorkerIntroduction(bytes: Array("MRW".utf8) + [1, 200, 0]) == nil)
  }

  @Test func introductionsArriveWhole() throws {
    let introduction = WorkerIntroduction(main: try #require(TypeReference(Int.self)))
    #expect(WorkerIntroduction(bytes: introduction.bytes) == introduction)
    #expect(BuildFingerprint.current == .current)
    #expect(BuildFingerprint.current.bytes.count >= 8)
    #expect("\(BuildFingerprint(bytes: [0, 0xaf]))" == "00af")
  }
}

private struct FileLocal {}
