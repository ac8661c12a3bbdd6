import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#endif

/// A thread that runs one closure and is joined.
///
/// Where a test wants threads of the system, not tasks.
final class TestThread: @unchecked Sendable {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private var thread = pthread_t()

  init(_ run: @escaping @Sendable () -> Void) {
    let body = Unmanaged.passRetained(Body(run)).toOpaque()
    let code = pthread_create(
      &thread, nil,
      {
        Unmanaged<Body>.fromOpaque($0!).takeRetainedValue().run(); return nil
      }, body)
    precondition(code == 0)
  }

  func join() { pthread_join(thread, nil) }
}

/// Random numbers that are the same in every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Less than `bound`; good enough, and fast in debug builds.
  mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() % UInt64(bound)) }
}

/// A deadline for a wait that ends at once, unless the other side has failed.
func soon() -> UInt64 { MonotonicTime.now + 30_000_000_000 }

/// FNV-1a over words and the bytes that are left, so that it is bearable without optimisation.
func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  var sum: UInt64 = 0xCBF2_9CE4_8422_2325
  var offset = 0
  while offset + 8 <= bytes.count {
    sum = (sum ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x100_0000_01B3
    offset += 8
  }
  while offset < bytes.count {
    sum = (sum ^ UInt64(bytes[offset])) &* 0x100_0000_01B3
    offset += 1
  }
  return sum
}

/// Fills `bytes` with what `seed` says.
func fill(_ bytes: UnsafeMutableRawBufferPointer, seed: UInt64) {
  var random = SeededGenerator(seed: seed)
  var offset = 0
  while offset + 8 <= bytes.count {
    bytes.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
    offset += 8
  }
  while offset < bytes.count {
    bytes[offset] = UInt8(truncatingIfNeeded: random.next())
    offset += 1
  }
}

/// What a hostile peer has: the same memory, and no manners.
struct HostilePeer: ~Copyable {
  private let mapping: MemoryMapping

  init(of lane: Lane) throws {
    let memory = try SharedMemory(adopting: fcntl(lane.descriptor, F_DUPFD_CLOEXEC, 0))
    mapping = try memory.map()
  }

  func set<Word: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _ value: Word) {
    mapping.base.storeBytes(of: value, toByteOffset: offset, as: Word.self)
  }

  func get<Word: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Word.Type) -> Word {
    mapping.base.load(fromByteOffset: offset, as: type)
  }
}

/// Runs `body` in a forked child and returns its process.
///
/// `body` must be plain code that has run here before, so that the child finds all types instantiated; its result is
/// the exit code.
func forkChild(_ body: () -> Int32) -> pid_t {
  // Swift hides `fork`, because most code must not run in such a child.
  typealias Fork = @convention(c) () -> pid_t
  let fork = unsafeBitCast(dlsym(nil, "fork")!, to: Fork.self)
  let child = fork()
  if child == 0 { _exit(body()) }
  return child
}

/// A memory file that its maker may still shrink.
func unsealedMemory(size: Int) -> Int32 {
  typealias Create = @convention(c) (UnsafePointer<CChar>, UInt32) -> Int32
  let create = unsafeBitCast(dlsym(nil, "memfd_create")!, to: Create.self)
  let descriptor = create("millrace-test", 3)  // MFD_CLOEXEC | MFD_ALLOW_SEALING
  precondition(descriptor >= 0 && ftruncate(descriptor, size) == 0)
  return descriptor
}

/// Exit code of a child, or minus its signal.
func waitForExit(_ child: pid_t) -> Int32 {
  var status: Int32 = 0
  while waitpid(child, &status, 0) < 0 && errno == EINTR {}
  return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
}
