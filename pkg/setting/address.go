package setting

import "net"

// Loopback tells whether a host, a name or an address, is this machine: what goes
// there nobody else can read, so that it may go in the clear.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
