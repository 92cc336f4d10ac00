package adminapi

import (
	"errors"
	"net"
	"syscall"
)

var errNoSocket = errors.New("not a connection to a local socket")

// peer is the user id of the process at the other end of a local socket.
func peer(conn net.Conn) (uint32, error) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errNoSocket
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var credential *syscall.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		credential, asked = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, asked); err != nil {
		return 0, err
	}
	return credential.Uid, nil
}
