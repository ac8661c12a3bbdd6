#if os(Linux)
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Everything that this program holds and that does not live as long as the program by design.
func held() -> Set<Resource> {
  Set(heldProcesses() + heldDescriptors() + heldThreads() + heldMappings() + heldFiles())
}

private func heldProcesses() -> [Resource] {
  relatedProcesses().map { process, stat in
    Resource(
      kind: .process, identity: "\(process) since \(stat.startTime)",
      detail: "\(process) (\(stat.name)), state \(stat.state), parent \(stat.parent)")
  }
}

/// Descendants and orphans.
///
/// A dead orphan is its new parent's to reap. A living orphan has lost its tie to us, so it is told by other marks. Process 1
/// or another ancestor of ours adopted it; and either it runs our executable, or it has our mark in its environment.
func relatedProcesses() -> [(Int, ProcFS.Stat)] {
  var stats: [Int: ProcFS.Stat] = [:]
  for process in ProcFS.numbers(in: "/proc") { stats[process] = ProcFS.Stat(of: "/proc/\(process)") }

  let this = Int(getpid())
  guard let own = stats[this] else { return [] }
  var ancestors: Set<Int> = [1]
  var ancestor = own.parent
  while ancestor > 0, ancestors.insert(ancestor).inserted { ancestor = stats[ancestor]?.parent ?? 0 }
  let executable = ProcFS.target(of: "/proc/self/exe")

  func isDescendant(_ process: Int) -> Bool {
    var parent = stats[process]?.parent ?? 0
    while parent > 1 {
      if parent == this { return true }
      parent = stats[parent]?.parent ?? 0
    }
    return false
  }
  func isOrphan(_ process: Int, _ stat: ProcFS.Stat) -> Bool {
    guard stat.state != "Z", ancestors.contains(stat.parent), !ancestors.contains(process), process != this else {
      return false
    }
    if executable != nil, ProcFS.target(of: "/proc/\(process)/exe") == executable { return true }
    return ProcFS.environment(of: process, has: EnvironmentMark.line)
  }
  return stats.filter { isDescendant($0.key) || isOrphan($0.key, $0.value) }.map { ($0.key, $0.value) }
}

/// What every program that we start inherits, unless it is given an environment of its own.
enum EnvironmentMark {
  private static let name = "MILLRACE_LEAK_ORACLE"
  static let line = "\(name)=\(getpid())"

  static func set() { isSet }

  private static let isSet: Void = _ = setenv(name, "\(getpid())", 1)
}

private func heldDescriptors() -> [Resource] {
  ProcFS.names(in: "/proc/self/fd").compactMap { number in
    guard let target = ProcFS.target(of: "/proc/self/fd/\(number)") else { return nil }
    return Resource(kind: .descriptor, identity: "\(number) \(target)", detail: "\(number) -> \(target)")
  }
}

/// Whether Dispatch's event loop has a timer for each of its three clocks.
///
/// Others have timers and event loops too: each of Foundation's run loops has one, and `Process` leaves three behind. All of those are of
/// one clock, so it is the event loop with three clocks that is looked for.
func hasDispatchTimers() -> Bool { ProcFS.numbers(in: "/proc/self/fd").contains(where: watchesThreeClocks) }

/// Whether a descriptor is an event loop with timers of three clocks.
package func watchesThreeClocks(_ loop: Int) -> Bool {
  guard ProcFS.target(of: "/proc/self/fd/\(loop)") == "anon_inode:[eventpoll]" else { return false }
  // tfd:        9 events:       19 data:                2  pos:0 ino:40e sdev:10
  let watched = descriptorInfo(loop).filter { $0.first == "tfd:" }.compactMap { $0.count > 1 ? Int($0[1]) : nil }
  let timers = watched.filter { ProcFS.target(of: "/proc/self/fd/\($0)") == "anon_inode:[timerfd]" }
  return Set(timers.compactMap { descriptorInfo($0).first { $0.first == "clockid:" }?.last }).count == 3
}

/// What the kernel says of a descriptor, as words, line by line.
private func descriptorInfo(_ descriptor: Int) -> [[Substring]] {
  (ProcFS.text(of: "/proc/self/fdinfo/\(descriptor)") ?? "").split(separator: "\n").map {
    $0.split { $0 == " " || $0 == "\t" }
  }
}

private func heldThreads() -> [Resource] {
  ProcFS.names(in: "/proc/self/task").compactMap { thread in
    guard let stat = ProcFS.Stat(of: "/proc/self/task/\(thread)"), !LongLived.isThread(named: stat.name) else {
      return nil
    }
    return Resource(
      kind: .thread, identity: "\(thread) since \(stat.startTime)",
      detail: "\(thread) (\(stat.name)), state \(stat.state)")
  }
}

private func heldMappings() -> [Resource] {
  ProcFS.withText(of: "/proc/self/maps") { maps in
    var shared: [Resource] = []
    var next: UnsafePointer<CChar>? = maps
    while let line = next, line.pointee != 0 {
      let end = strchr(line, CInt(UInt8(ascii: "\n")))
      next = end.map { UnsafePointer($0) + 1 }
      // The fourth letter of the second field: s for shared, p for private.
      guard let blank = strchr(line, CInt(UInt8(ascii: " "))), blank[4] == CChar(UInt8(ascii: "s")) else { continue }
      let length = end.map { UnsafePointer($0) - line } ?? strlen(line)
      let text = String(decoding: UnsafeRawBufferPointer(start: line, count: length), as: UTF8.self)
      if let mapping = sharedMapping(text) { shared.append(mapping) }
    }
    return shared
  } ?? []
}

private func sharedMapping(_ line: String) -> Resource? {
  // 7f25150ee000-7f25150ef000 rw-s 00000000 00:01 1027     /memfd:millrace (deleted)
  let fields = line.split(separator: " ", maxSplits: 5)
  guard fields.count >= 5 else { return nil }
  let path = fields.count > 5 ? String(fields[5].drop { $0 == " " }) : "[anonymous]"
  // Tables of the C library (character sets, locales) are mapped shared too, for reading, and kept.
  if fields[1].hasPrefix("r--"), !path.hasPrefix("/memfd:"), !path.hasPrefix("/dev/shm/") { return nil }
  return Resource(
    kind: .sharedMemory, identity: "\(fields[0]) \(fields[3]):\(fields[4])", detail: "\(path), mapped at \(fields[0])"
  )
}

private func heldFiles() -> [Resource] {
  let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  let isOurs = directory.split(separator: "/").last?.hasPrefix("millrace") ?? false
  let shared = entries(of: "/dev/shm", kind: .sharedMemory, all: false)
  return shared + entries(of: directory, kind: .file, all: isOurs)
}

/// Whether a name has a number in it, not as a part of a longer one.
private func isNumber(_ number: String, in name: String) -> Bool {
  // The fast question first: `/tmp` may have thousands of entries.
  strstr(name, number) != nil && name.split(whereSeparator: { !$0.isNumber }).contains(Substring(number))
}

private func entries(of directory: String, kind: Resource.Kind, all: Bool) -> [Resource] {
  let this = String(getpid())
  return ProcFS.names(in: directory).compactMap { name in
    guard all || isNumber(this, in: name) else { return nil }
    return Resource(kind: kind, identity: "\(directory)/\(name)", detail: "\(directory)/\(name)")
  }
}
#endif
