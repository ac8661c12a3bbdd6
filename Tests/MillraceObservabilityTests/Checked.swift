import MillraceTesting
import Testing

/// One after another, and none leaves a process, thread or descriptor behind.
@Suite(.serialized, .leakChecked, .timeLimit(.minutes(1)))
enum Checked {}

/// What the last who worked for a pool still tells is told when he is done with it, which may be a moment behind the pool's end.
func eventually(_ condition: () -> Bool) async -> Bool {
  for _ in 0..<100_000 {
    if condition() { return true }
    await Task.yield()
  }
  return condition()
}
