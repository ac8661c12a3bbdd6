import Fuzz
import Millrace
import MillraceTesting
import Testing

@Suite("Hostile bytes", .serialized, .leakChecked, .timeLimit(.minutes(1)))
struct FuzzTests {
  @Test("seeds")
  func seeds() {}
}
