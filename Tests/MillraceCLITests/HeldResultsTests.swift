#if CLI
import Dispatch
import Foundation
import MillraceIPC
import Testing

@testable import MillraceCLI

@Suite(.timeLimit(.minutes(1))) struct HeldResultsTests {
  @Test("U30: with --keep-order any number of jobs wait for the first") func manyWaitForTheFirst() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let result = try Tool.shell(
      """
      { echo 'until [ -e $D/last ]; do sleep 0.05; done; echo 1'; seq 2 4199 | sed 's/^/echo /'; echo 'touch $D/last; echo 4200'
      } | timeout 55 $M -k -j2 > $D/out
      echo $?; seq 4200 | cmp - $D/out
      """, environment: ["D": folder.path])
    #expect(result.lines == ["0"])
    #expect(result.error.isEmpty)
  }

  private func output(_ number: Int, _ parts: SpillFile? = nil) throws -> JobOutput {
    var output = JobOutput(tag: number % 3 == 0 ? nil : Bytes("tag \(number)".utf8))
    if number % 2 == 0 { output.message = Bytes("message \(number)".utf8) }
    for stream in [OutputWriter.Stream.output, .error].prefix(number % 3) {
      var capture = Capture(memory: 4)
      if let parts {
        try capture.append(Bytes("large \(number)".utf8), spill: parts)
      } else {
        capture.append(Bytes("output \(number) \(stream)".utf8))
      }
      output.captures.append((stream, capture))
    }
    return output
  }

  private func text(_ output: JobOutput, _ spill: SpillFile) throws -> [String] {
    var text = [output.tag, output.message].map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
    for (stream, capture) in output.captures {
      try capture.forEachPiece(spill) { text.append("\(stream): \(String(decoding: $0, as: UTF8.self))") }
    }
    return text
  }

  @Test(
    "U30: what waits comes back as it was, from memory or from the disk", arguments: [0, 2000, .max], [false, true])
  func order(memory: Int, isLarge: Bool) throws {
    let spill = SpillFile(directory: FileManager.default.temporaryDirectory.path)
    let held = try HeldResults(first: 1, spill: spill, mostMemory: memory)
    var taken: [[String]] = []
    for number in (1...40).reversed() {
      #expect(held.add(try output(number, isLarge ? spill : nil), sequence: number) == nil)
      while let output = try held.take() { taken.append(try text(output, spill)) }
      #expect(taken.isEmpty == (number > 1))
    }
    let reference = SpillFile(directory: FileManager.default.temporaryDirectory.path)
    #expect(try taken == (1...40).map { try text(try output($0, isLarge ? reference : nil), reference) })
  }

  @Test("U216: with --keep-order what a job writes needs no disk up to a bound") func noDisk() throws {
    let result = try Tool.shell(
      "$M -k -j2 'yes | head -c 17000; echo; echo {}' ::: 1 2 | sort | uniq -c", environment: ["TMPDIR": "/nonexistent"]
    )
    #expect(result.error.isEmpty)
    #expect(result.lines.map { $0.trimmingCharacters(in: .whitespaces) } == ["2", "1 1", "1 2", "17000 y"])
  }

  @Test("U216: what is partly on the disk is kept there as a whole, where much waits") func partsOnTheDisk() throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let spill = SpillFile(directory: folder.path)
    let held = try HeldResults(first: 1, spill: spill, mostMemory: 0)
    var capture = Capture(memory: 1000)
    try capture.append(Bytes(repeating: 1, count: 1000), spill: spill)
    try capture.append(Bytes(repeating: 2, count: 999), spill: spill)
    #expect(capture.parts.count == 1 && capture.tail.count == 999)
    #expect(held.add(JobOutput(captures: [(.output, capture)]), sequence: 2) == nil)
    #expect(held.add(JobOutput(), sequence: 1) == nil)
    _ = try held.take()
    let taken = try #require(try held.take()).captures[0].capture
    #expect(taken.parts.count == 2 && taken.tail.isEmpty)
    var bytes = Bytes()
    try taken.forEachPiece(spill) { bytes += $0 }
    #expect(bytes == Bytes(repeating: 1, count: 1000) + Bytes(repeating: 2, count: 999))
  }

  /// Sizes that fill blocks, and do not, many to one or one to many.
  @Test(
    "U220: what is printed gives its blocks back",
    arguments: [[16_400], [100], [4096, 100, 5000], [4095, 2, 9000, 1]])
  func blocks(sizes: [Int]) throws {
    let folder = try Tool.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let spill = SpillFile(directory: folder.path)
    let first = try spill.store(Bytes(repeating: 0xFF, count: 10))
    var waiting: [(part: SpillFile.Part, bytes: Bytes)] = []
    for number in 0..<2_000 {
      let bytes = Bytes(repeating: UInt8(truncatingIfNeeded: number), count: sizes[number % sizes.count])
      waiting.append((try spill.store(bytes), bytes))
      // Not in the order in which they came.
      if waiting.count == 8 {
        let next = waiting.remove(at: number % 8)
        #expect(try spill.take(next.part) == next.bytes)
      }
    }
    for (part, bytes) in waiting { #expect(try spill.take(part) == bytes) }
    var status = stat()
    let file = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").first {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix(folder.path)
        == true
    }
    #expect(stat("/proc/self/fd/\(try #require(file))", &status) == 0)
    #expect(status.st_blocks <= 3 * 8, "\(status.st_blocks)")
    #expect(try spill.take(first) == Bytes(repeating: 0xFF, count: 10))
  }

  @Test("U30: when the disk is full, no more jobs are begun until there is room again") func fullDisk() throws {
    let held = try HeldResults(first: 1, spill: SpillFile(directory: "/no/such/folder"), mostMemory: 500)
    let stop = try Descriptor.bell()
    let reasons = try (2...9).map { held.add(try output($0), sequence: $0) }
    #expect(reasons.count { $0 != nil } == 1, "said once")
    // It waits, so only the stop lets it go.
    stop.ring()
    held.waitForRoom(stop: stop.rawValue)
    stop.hear()
    let isThrough = DispatchSemaphore(value: 0)
    let number = stop.rawValue
    try startThread("waiter") {
      held.waitForRoom(stop: number)
      isThrough.signal()
    }
    #expect(held.add(try output(1), sequence: 1) == nil)
    var count = 0
    while try held.take() != nil { count += 1 }
    #expect(count == 9)
    isThrough.wait()
  }
}
#endif
