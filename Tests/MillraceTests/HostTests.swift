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
}
