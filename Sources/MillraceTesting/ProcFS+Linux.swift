#if os(Linux)
  #if canImport(Glibc)
    import Glibc
  #endif

  /// Reads `/proc`.
  ///
  /// Whatever it names may go at any moment, so everything returns nothing rather than failing.
  enum ProcFS {
    /// The names in a directory, without `.` and `..`, and without the descriptor that reading it takes.
    static func names(in directory: String) -> [String] {
      guard let stream = opendir(directory) else { return [] }
      defer { closedir(stream) }
      let own = directory == "/proc/self/fd" ? String(dirfd(stream)) : "."
      var names: [String] = []
      while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." && name != own { names.append(name) }
      }
      return names
    }

    static func numbers(in directory: String) -> [Int] { names(in: directory).compactMap { Int($0) } }

    static func text(of file: String) -> String? { bytes(of: file).map { String(decoding: $0, as: UTF8.self) } }

    static func bytes(of file: String) -> [UInt8]? {
      let descriptor = open(file, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return nil }
      defer { close(descriptor) }
      var bytes: [UInt8] = []
      while true {
        let count = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
          let count = read(descriptor, buffer.baseAddress, buffer.count)
          if count > 0 { bytes.append(contentsOf: buffer.prefix(count)) }
          return count
        }
        if count < 0 { return nil }
        if count == 0 { return bytes }
      }
    }

    /// Where a symbolic link points.
    static func target(of link: String) -> String? {
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
        guard let start = buffer.baseAddress else { return nil }
        let count = readlink(link, start, buffer.count)
        guard count >= 0 else { return nil }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
      }
    }

    /// The line that the kernel keeps about a process or a thread, `/proc/…/stat`.
    struct Stat {
      let name: String
      let state: String
      let parent: Int
      let session: Int
      /// In clock ticks; the sum of user and system time.
      let cpuTicks: Int
      /// In clock ticks since the machine started.
      ///
      /// With the number it names a process for good.
      let startTime: Int

      init?(of task: String) {
        // The name may contain anything, blanks and brackets too: it ends at the last bracket.
        guard let line = bytes(of: "\(task)/stat"),
          let open = line.firstIndex(of: UInt8(ascii: "(")), let close = line.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = line[(close + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 20)
        guard fields.count > 20 else { return nil }
        func number(_ field: Int) -> Int { Int(String(decoding: fields[field], as: UTF8.self)) ?? 0 }
        name = String(decoding: line[(open + 1)..<close], as: UTF8.self)
        state = String(decoding: fields[0], as: UTF8.self)
        parent = number(1)
        session = number(3)
        cpuTicks = number(11) + number(12)
        startTime = number(19)
      }
    }
  }
#endif
