import MillraceTesting
import Testing

/// All tests that start servers, agents or pools: one after another, and none leaves a process, thread, descriptor or file behind.
@Suite(.serialized, .leakChecked, .timeLimit(.minutes(1)))
enum Checked {}
