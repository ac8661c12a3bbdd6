/// What has to happen at once on the server: so that no result is lost or doubled is kept there, whoever dies when.
package enum RedisScript: String, CaseIterable, Sendable {
  case open, announce, submit, settle, missing, cancel, change, finish, renew, started, complete, release, join

  /// Only its driver may do this. What the server has forgotten is to be opened again.
  private static let asDriver = """
    local epoch = redis.call('GET', KEYS[1])
    if not epoch then return redis.error_reply('LOST the job is not known') end
    if epoch ~= ARGV[1] then return redis.error_reply('FENCED epoch ' .. epoch .. ', not ' .. ARGV[1]) end

    """

  package var text: String {
    switch self {
    case .open:
      // KEYS epoch in manifest phase driver; ARGV mine group manifest ttl
      """
      local epoch = redis.call('GET', KEYS[1])
      if ARGV[1] == '0' then epoch = tostring(redis.call('INCR', KEYS[1]))
      elseif not epoch then redis.call('SET', KEYS[1], ARGV[1]) epoch = ARGV[1]
      elseif epoch ~= ARGV[1] then return redis.error_reply('FENCED epoch ' .. epoch .. ', not ' .. ARGV[1]) end
      redis.call('PERSIST', KEYS[1])
      local made = redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
      if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP') then return made end
      redis.call('SET', KEYS[3], ARGV[3])
      redis.call('SET', KEYS[4], 'running')
      redis.call('SET', KEYS[5], epoch, 'PX', ARGV[4])
      local info = redis.call('XINFO', 'STREAM', KEYS[2])
      local last = '0-0'
      for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
      return {tonumber(epoch), last}
      """
    case .announce:
      // KEYS epoch workers; ARGV epoch worker announcement
      Self.asDriver + "return redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])"
    case .submit:
      // KEYS epoch in; ARGV epoch (id bytes)…
      Self.asDriver + """
        for i = 2, #ARGV, 2 do
          local added = redis.pcall('XADD', KEYS[2], ARGV[i] .. '-0', 'b', ARGV[i + 1])
          if type(added) == 'table' and added.err and not string.find(added.err, 'equal or smaller') then return added end
        end
        return 1
        """
    case .settle:
      // KEYS epoch out; ARGV epoch first-that-stays
      Self.asDriver + "return redis.call('XTRIM', KEYS[2], 'MINID', ARGV[2])"
    case .missing:
      // KEYS epoch in out; ARGV epoch id…
      Self.asDriver + """
        local there = {}
        for _, entry in ipairs(redis.call('XRANGE', KEYS[3], '-', '+')) do there[entry[2][2]] = true end
        local missing = {}
        for i = 2, #ARGV do
          if not there[ARGV[i]] and #redis.call('XRANGE', KEYS[2], ARGV[i] .. '-0', ARGV[i] .. '-0') == 0 then
            missing[#missing + 1] = ARGV[i]
          end
        end
        return missing
        """
    case .cancel:
      // KEYS epoch in starts; ARGV epoch group id…
      Self.asDriver + """
        for i = 3, #ARGV do
          redis.call('XACK', KEYS[2], ARGV[2], ARGV[i] .. '-0')
          redis.call('XDEL', KEYS[2], ARGV[i] .. '-0')
          redis.call('HDEL', KEYS[3], ARGV[i])
        end
        return 1
        """
    case .change:
      // KEYS epoch phase driver (all others of the job); ARGV epoch phase ttl life
      Self.asDriver + """
        redis.call('SET', KEYS[2], ARGV[2])
        redis.call('SET', KEYS[3], epoch, 'PX', ARGV[3])
        for i = 1, #KEYS do if i ~= 3 then redis.call('PEXPIRE', KEYS[i], ARGV[4]) end end
        return 1
        """
    case .finish:
      // KEYS epoch phase driver (all others of the job); ARGV epoch ttl
      Self.asDriver + """
        for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
        redis.call('SET', KEYS[2], 'finished', 'PX', ARGV[2])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return 1
        """
    case .renew:
      // KEYS in phase driver members alive; ARGV group agent ttl id…
      """
      local refused = {}
      for i = 4, #ARGV do
        local id = ARGV[i] .. '-0'
        local mine = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])
        if mine.err or #mine == 0 then refused[#refused + 1] = ARGV[i]
        else redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID') end
      end
      redis.call('SET', KEYS[5], '1', 'PX', ARGV[3])
      local phase = redis.call('GET', KEYS[2])
      if phase ~= 'finished' and redis.call('EXISTS', KEYS[3]) == 0 then phase = false end
      return {phase or '', redis.call('HEXISTS', KEYS[4], ARGV[2]), refused}
      """
    case .started:
      // KEYS starts in; ARGV id item agent: only of what is there, or nobody would remove it. Whoever had it first did not say what it began.
      """
      if #redis.call('XRANGE', KEYS[2], ARGV[1] .. '-0', ARGV[1] .. '-0') == 0 then return {0, ''} end
      local text = redis.call('HGET', KEYS[1], ARGV[1]) or ''
      local counts = cjson.decode(text == '' and '{"first":1}' or text)
      for other in pairs(counts) do
        if tonumber(other) and tonumber(other) < tonumber(ARGV[2]) then counts[other] = nil end
      end
      local before = counts[ARGV[2]] or counts['first']
      local last = before > 0 and counts['last'] or ''
      counts[ARGV[2]] = before + 1
      counts['last'] = ARGV[3]
      redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(counts))
      return {before, last}
      """
    case .complete:
      // KEYS in out starts members results; ARGV group id agent result
      """
      local id = ARGV[2] .. '-0'
      if redis.call('XACK', KEYS[1], ARGV[1], id) == 0 then return 0 end
      redis.call('XDEL', KEYS[1], id)
      redis.call('HDEL', KEYS[3], ARGV[2])
      redis.call('XADD', KEYS[2], '*', 'i', ARGV[2], 'a', ARGV[3], 'b', ARGV[4])
      redis.call('HINCRBY', KEYS[5], ARGV[3], 1)
      return 1
      """
    case .release:
      // KEYS in starts; ARGV group agent id…: as if it had been held for ever, and nobody was lost with it.
      """
      for i = 3, #ARGV do
        local id = ARGV[i] .. '-0'
        local mine = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])
        if not mine.err and #mine > 0 then
          redis.call('XCLAIM', KEYS[1], ARGV[1], 'released', 0, id, 'IDLE', '1000000000', 'JUSTID')
          redis.call('HSETNX', KEYS[2], ARGV[i], '{"first":0}')
        end
      end
      return 1
      """
    case .join:
      // KEYS members alive manifest; ARGV agent description ttl
      """
      if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('LOST the job is not known') end
      redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
      redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
      return 1
      """
    }
  }
}
