#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The CPU time of this program, in seconds.
enum CPUTime {
  struct Unknown: Error, CustomStringConvertible {
    let description: String
  }

  /// Of all its threads, also those that have ended.
  static func ofProgram() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// Of each thread that is there now, by its number, as Linux tells it.
  static func ofThreads() throws -> [Int: Double] {
    guard let folder = opendir("/proc/self/task") else {
      throw Unknown(description: "/proc/self/task cannot be read")
    }
    defer { closedir(folder) }
    var times: [Int: Double] = [:]
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      // A thread may end in between.
      guard let thread = Int(name), let file = fopen("/proc/self/task/\(name)/schedstat", "r") else { continue }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 128)
      guard fgets(&line, Int32(line.count), file) != nil else { continue }
      let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self).split(
        separator: " ")
      if let nanoseconds = words.first.flatMap({ Double($0) }) { times[thread] = nanoseconds / 1e9 }
    }
    return times
  }
}
