import MillraceTesting
import Testing

/// The fault battery, each case under its number: one after another, and none leaves anything behind.
@Suite("Faults", .serialized, .leakChecked, .timeLimit(.minutes(1)))
enum Faults {}
