import MillraceTesting
import Testing

/// The tests that hold resources of the process: one after another, and none leaves anything behind.
@Suite(.serialized, .leakChecked, .timeLimit(.minutes(1)))
enum Checked {}
