import MillraceTesting
import Testing

/// All acceptance tests: one after another, and none leaves a process, thread, descriptor, shared memory or file behind.
@Suite(.serialized, .leakChecked, .timeLimit(.minutes(1)))
enum Checked {}
