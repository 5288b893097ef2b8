#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# answers.sh: what a server's kernel sends by itself. RSTs to whoever asks for a closed port, from
# forged addresses too, are no local socket's: each is a newcomer's. A SYN-ACK is one, though that
# socket is still to be made: where it had to be sent twice, the connection is paced like any other.
#
#     server (weir on eth, egress) ---- client
. "$(dirname "$0")/lib.sh"

need ip jq python3
n=3000
netns server client
link "$server" eth "$client" eth 1
ip -n "$server" route add default via 10.88.1.2
weir=("$WEIR" -n "$server")

cat > "$tmp/forge.py" <<'END'
import socket, struct, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("eth", 0))
server = socket.inet_aton("10.88.1.1")
def sum16(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xffff)
for i in range(int(sys.argv[1])):
    pair = struct.pack("!I", 0x0b000001 + i) + server
    tcp = struct.pack("!HHIIBBHHH", 1024 + i % 60000, 9, i, 0, 5 << 4, 2, 1000, 0, 0)
    tcp = tcp[:16] + sum16(pair + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, i & 0xffff, 0, 64, 6, 0) + pair
    ip = ip[:10] + sum16(ip) + ip[12:]
    out.send(bytes.fromhex("0200000001010200000001020800") + ip + tcp)
END
cat > "$tmp/serve.py" <<'END'
import socket
listener = socket.create_server(("", 7000))
print("listens", flush=True)
s = listener.accept()[0]
for i in range(128):		# 1.7 s at 10 mbit
    s.sendall(bytes(16384))
END

check "attach" "${weir[@]}" attach eth egress qdisc keep flows 4096
check "class" "${weir[@]}" class set web flow-rate 10mbit
check "match" "${weir[@]}" match add web proto tcp sport 7000

# --- a closed port
check "forged" ip netns exec "$client" python3 "$tmp/forge.py" $n
answers() { "${weir[@]}" -j show classes | jq '.[] | select(.class == "default") | .packets'; }
answered() { [ "$(answers)" -ge $n ]; }
check "answered by RSTs" wait_until 10 answered
is_most "entries for them" "$("${weir[@]}" -j show flows | jq length)" $((n / 100))

# --- the first SYN-ACK goes astray
neigh() { ip -n "$server" neigh replace 10.88.1.2 lladdr "02:00:00:00:01:$1" dev eth nud permanent; }
ip netns exec "$server" python3 "$tmp/serve.py" > "$tmp/served" &
pids+=($!)
wait_until 10 grep -q listens "$tmp/served" || not_ok "the server listens"
neigh 77
ip netns exec "$client" python3 -c 'import socket
s = socket.create_connection(("10.88.1.1", 7000))
while s.recv(65536):
    pass' &
pids+=($!)
sent() { "${weir[@]}" -j show flows | jq -e '.[] | select(.sport == 7000)'; }
asked() { [ "$(class "$server" web packets)" -ge "$1" ]; }
check "a SYN-ACK" wait_until 10 asked 1
neigh 02
check "and another, and data behind it" wait_until 20 asked 100
wait "${pids[-2]}"
is_equal "dropped" "$(sent | jq .dropped)" 0
is_least "sent" "$(sent | jq .packets)" 100
finish
