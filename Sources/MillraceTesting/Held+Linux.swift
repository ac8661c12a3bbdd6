#if os(Linux)
  #if canImport(Glibc)
    import Glibc
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
  /// A dead orphan is its new parent's to reap. A living orphan has lost its tie to us, so it is told by other marks. Process 1 or another ancestor of ours adopted it; and
  /// either it is of our session while its new parent is not (nobody but a session's leader is born so), or it runs our executable.
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
      let isOfOurSession = stat.session == own.session && stat.session != process
      if isOfOurSession, stat.parent == 1 || stats[stat.parent]?.session != own.session { return true }
      return executable != nil && ProcFS.target(of: "/proc/\(process)/exe") == executable
    }
    return stats.filter { isDescendant($0.key) || isOrphan($0.key, $0.value) }.map { ($0.key, $0.value) }
  }

  private func heldDescriptors() -> [Resource] {
    ProcFS.names(in: "/proc/self/fd").compactMap { number in
      guard let target = ProcFS.target(of: "/proc/self/fd/\(number)") else { return nil }
      return Resource(kind: .descriptor, identity: "\(number) \(target)", detail: "\(number) -> \(target)")
    }
  }

  /// How many timer descriptors this process has.
  func timerDescriptors() -> Int {
    ProcFS.names(in: "/proc/self/fd").count { ProcFS.target(of: "/proc/self/fd/\($0)") == "anon_inode:[timerfd]" }
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
    guard let maps = ProcFS.bytes(of: "/proc/self/maps") else { return [] }
    return maps.split(separator: UInt8(ascii: "\n")).compactMap { line in
      // 7f25150ee000-7f25150ef000 rw-s 00000000 00:01 1027     /memfd:millrace (deleted)
      let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
      guard fields.count >= 5, fields[1].last == UInt8(ascii: "s") else { return nil }
      let words = fields.map { String(decoding: $0, as: UTF8.self) }
      let path = words.count > 5 ? String(words[5].drop { $0 == " " }) : "[anonymous]"
      // Tables of the C library (character sets, locales) are mapped shared too, for reading, and kept.
      if words[1].hasPrefix("r--"), !path.hasPrefix("/memfd:"), !path.hasPrefix("/dev/shm/") { return nil }
      return Resource(
        kind: .sharedMemory, identity: "\(words[0]) \(words[3]):\(words[4])", detail: "\(path), mapped at \(words[0])")
    }
  }

  private func heldFiles() -> [Resource] {
    let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    let isOurs = directory.split(separator: "/").last?.hasPrefix("millrace") ?? false
    let shared = entries(of: "/dev/shm", kind: .sharedMemory, all: false)
    return shared + entries(of: directory, kind: .file, all: isOurs)
  }

  private func entries(of directory: String, kind: Resource.Kind, all: Bool) -> [Resource] {
    let this = String(getpid())
    return ProcFS.names(in: directory).compactMap { name in
      guard all || name.split(whereSeparator: { !$0.isNumber }).contains(Substring(this)) else { return nil }
      return Resource(kind: kind, identity: "\(directory)/\(name)", detail: "\(directory)/\(name)")
    }
  }
#endif
