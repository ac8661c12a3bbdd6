#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The machine that the program runs on, as far as parallel work cares.
enum Machine {
  /// See ``WorkerPool/cpuCount``.
  static var cpuCount: Int {
    max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }

  /// See ``WorkerPool/usableCPUs``.
  static var usableCPUs: Int {
    usableCPUs(allowed: affinityCount ?? cpuCount, quota: cpuQuota)
  }

  /// What remains of `allowed` CPUs under a quota of so many CPUs' worth of time.
  static func usableCPUs(allowed: Int, quota: Double?) -> Int {
    guard let quota, quota < Double(allowed) else { return max(1, allowed) }
    return max(1, Int(quota.rounded(.up)))
  }
}
