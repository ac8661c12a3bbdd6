import Testing

@testable import Millrace

@Suite("The host")
struct HostTests {
  @Test func thisMachine() {
    #expect(WorkerPool.cpuCount >= 1)
    #expect((1...WorkerPool.cpuCount).contains(WorkerPool.usableCPUs))
  }

  @Test(
    arguments: [
      (4, nil, 4), (4, 1.5, 2), (4, 0.1, 1), (4, 4.0, 4), (4, 16.0, 4), (1, 0.5, 1), (0, nil, 1),
    ] as [(Int, Double?, Int)])
  func quotasAreRoundedUp(allowed: Int, quota: Double?, expected: Int) {
    #expect(Machine.usableCPUs(allowed: allowed, quota: quota) == expected)
  }

  @Test(
    arguments: [
      ("max 100000\n", nil), ("150000 100000\n", 1.5), ("5000 100000", 0.05), ("", nil), ("max", nil), ("x y", nil),
      ("100 0", nil), ("-1 100000", nil),
    ] as [(String, Double?)])
  func version2(text: String, expected: Double?) {
    #expect(ControlGroup.quota(cpuMax: text) == expected)
  }

  @Test func version1() {
    #expect(ControlGroup.quota(microseconds: "-1\n", period: "100000\n") == nil)
    #expect(ControlGroup.quota(microseconds: "250000\n", period: "100000\n") == 2.5)
    #expect(ControlGroup.quota(microseconds: "", period: "") == nil)
  }

  @Test func foldersGoUpToTheRoot() {
    #expect(
      ControlGroup.folders(membership: "0::/user.slice/a\n").map(\.path)
        == ["/sys/fs/cgroup/user.slice/a", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"])
    let old = ControlGroup.folders(membership: "5:cpuset:/x\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/\n0::/\n")
    #expect(old.filter { $0.version == 1 }.map(\.path).contains("/sys/fs/cgroup/cpu,cpuacct/docker/1"))
    #expect(old.filter { $0.version == 1 }.map(\.path).contains("/sys/fs/cgroup/cpu"))
    #expect(old.filter { $0.version == 2 }.map(\.path) == ["/sys/fs/cgroup"])
    #expect(!old.contains { $0.path.contains("cpuset") })
    #expect(ControlGroup.folders(membership: "garbage\n\n::\n") == [])
  }

  @Test("U260: many small ones are looked at as one large one is, and the more often the less there is")
  func memoryAllowance() {
    /// How many of 10,000 of a size are looked at, where there is so much room.
    func looks(_ bytes: Int, room: Int?) -> Int {
      let allowance = MemoryAllowance()
      var left = room
      return (0..<10_000).count { _ in
        defer { left = left.map { $0 - bytes } }
        guard allowance.isWorthLook(bytes) else { return false }
        allowance.saw(left, for: bytes)
        return true
      }
    }
    // Each takes two pages at the least: 80 MB.
    #expect((4...6).contains(looks(1_000, room: 8 << 30)))
    #expect((4...6).contains(looks(1_000, room: nil)))
    #expect((600...700).contains(looks(1 << 20, room: 1 << 40)))
    #expect(looks(16 << 20, room: 1 << 50) == 10_000)
    // Of what is there never more than half is taken unseen.
    let allowance = MemoryAllowance()
    var room = 100 << 20
    var unseen = 0
    while room > 1 << 20 {
      if allowance.isWorthLook(1 << 20) {
        allowance.saw(room, for: 1 << 20)
        unseen = 0
      } else {
        unseen += 1 << 20
      }
      room -= 1 << 20
      #expect(unseen <= max(room, 1 << 20))
    }
    // Nothing is left: each is looked at.
    #expect(looks(1, room: 0) == 10_000)
  }

  /// What a memory group leaves, by the files of a machine with 8 GiB.
  private func room(_ files: [String: String]) -> Int? {
    let machine = ["/proc/meminfo": "MemTotal: 9000000 kB\nMemAvailable:    8388608 kB\nSwapFree: 0 kB\n"]
    return Machine.memoryRoom { files[$0] ?? machine[$0] }
  }

  @Test("what can be had of a memory group of either version, and of those around it")
  func memoryGroups() {
    #expect(room([:]) == 8 << 30)
    let new = "/sys/fs/cgroup/a/b"
    var files = [
      "/proc/self/cgroup": "0::/a/b\n", new + "/memory.max": "67108864\n", new + "/memory.current": "60000000\n",
      new + "/memory.stat": "anon 50000000\ninactive_file 1000000\n",
    ]
    #expect(room(files) == 67_108_864 - 60_000_000 + 1_000_000)
    files[new + "/memory.current"] = "70000000"
    files[new + "/memory.stat"] = nil
    #expect(room(files) == 0)
    files[new + "/memory.max"] = "max"
    #expect(room(files) == 8 << 30)
    files["/sys/fs/cgroup/a/memory.max"] = "1000000"
    files["/sys/fs/cgroup/a/memory.current"] = "400000"
    #expect(room(files) == 600_000)

    let old = "/sys/fs/cgroup/memory/c"
    #expect(
      room([
        "/proc/self/cgroup": "5:cpu:/c\n4:memory:/c\n0::/\n", old + "/memory.limit_in_bytes": "50000000",
        old + "/memory.usage_in_bytes": "48000000", old + "/memory.stat": "cache 5\ntotal_inactive_file 500000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes": "9999999999",
      ]) == 2_500_000)
  }
}
