#if canImport(Testing)
package import Testing
#endif

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What the thread sanitizer cannot run.
///
/// Its runtime has a thread and locks of its own, of which a forked child gets a copy that nobody serves: such a child
/// hangs, sooner or later. So under it, tests leave worker processes out.
package enum ThreadSanitizer {
  /// Whether this program was built with it.
  package static let isOn = dlsym(nil, "__tsan_init") != nil

  /// Starts the program that finds the names in its reports, which lives as long as this one.
  static func startSymbolizer() {
    guard isOn, let entry = dlsym(nil, "__sanitizer_symbolize_pc") else { return }
    let symbolize = unsafeBitCast(
      entry, to: (@convention(c) (UInt, UnsafePointer<CChar>, UnsafeMutablePointer<CChar>, Int) -> Void).self)
    var name = [CChar](repeating: 0, count: 256)
    symbolize(UInt(bitPattern: entry), "%f", &name, name.count)
  }
}

/// What the address sanitizer cannot run.
///
/// It and Swift's backtracer do not bear each other: the backtracer's server reads the stack of the crashed thread with a
/// `memcpy` in which the sanitizer sees an error, and crashes, or hangs, itself. So under it there are no backtraces
/// (`scripts/sanitizer-options`), and tests leave out what is about them. Shared memory is no allocation of its own: a
/// read beside a ring it does not see; what is decoded from there it does. Forked processes, the crash handlers with their
/// stacks, and limits on the stack are no trouble.
package enum AddressSanitizer {
  /// Whether this program was built with it.
  package static let isOn = dlsym(nil, "__asan_init") != nil
}

#if canImport(Testing)
extension Trait where Self == ConditionTrait {
  /// For tests of forked processes, which the thread sanitizer cannot run.
  package static var forks: Self {
    .disabled(if: ThreadSanitizer.isOn, "the thread sanitizer cannot run forked processes")
  }

  /// For tests of backtraces, or of the variable that asks for them: under the address sanitizer there are none.
  package static var backtraces: Self {
    .disabled(if: AddressSanitizer.isOn, "the address sanitizer and Swift's backtracer do not bear each other")
  }
}
#endif
