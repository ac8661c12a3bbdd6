#if canImport(Glibc)
import Glibc
#endif
import Synchronization

/// A counter that this process shares with those that are forked from it, closures of worker processes among them.
package final class CommonCounter: @unchecked Sendable {
  // Sound: the word is atomic, and lives as long as the object.
  private let word: UnsafeMutablePointer<Atomic<Int>>

  package init(_ value: Int = 0) {
    let memory = mmap(nil, 4_096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { fatalError("no shared memory for a counter") }
    word = memory.bindMemory(to: Atomic<Int>.self, capacity: 1)
    word.initialize(to: Atomic(value))
  }

  deinit { munmap(word, 4_096) }

  package var value: Int { word.pointee.load(ordering: .sequentiallyConsistent) }

  @discardableResult
  package func increment() -> Int { word.pointee.add(1, ordering: .sequentiallyConsistent).newValue }

  package func set(_ value: Int) { word.pointee.store(value, ordering: .sequentiallyConsistent) }

  /// Counts, and goes on once `count` callers have come. What is counted waits for each other, so it runs at once.
  package func meet(_ count: Int) async {
    let mine = increment()
    await wait(for: (mine + count - 1) / count * count)
  }

  package func wait(for goal: Int) async {
    while value < goal {
      sched_yield()
      await Task.yield()
    }
  }
}
