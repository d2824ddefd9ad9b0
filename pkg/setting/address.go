package setting

import "net"

// IsLoopback reports whether host, a name or an IP address, is this machine.
// Traffic to it never leaves the machine, so it needs no encryption.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
