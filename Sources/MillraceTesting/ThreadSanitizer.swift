package import Testing

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
}

extension Trait where Self == ConditionTrait {
  /// For tests of forked processes, which the thread sanitizer cannot run.
  package static var forks: Self {
    .disabled(if: ThreadSanitizer.isOn, "the thread sanitizer cannot run forked processes")
  }
}
