package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The data folder belongs to one process: a lock says so, and a socket in it is
// the door for the command line.
const (
	lockFile      = "lock"
	socketFile    = "satellite.sock"
	socketPointer = "socket" // holds the socket's path where the folder's own is too long
	maxSocketPath = 107      // bytes; the kernel's limit, less the closing zero
)

// lockFolder keeps a second process from the same data. The kernel gives the
// lock up when the process ends, however it ends.
func lockFolder(data string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(data, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another satellite is running on %s; nothing was changed. Stop it first, or name another folder with --data", data)
		}
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	return func() { _ = file.Close() }, nil
}

// listenLocal opens the socket, for its owner only. Who holds the folder's lock
// may replace a socket that a killed process left.
func listenLocal(data string) (net.Listener, error) {
	path, err := filepath.Abs(filepath.Join(data, socketFile))
	if err != nil {
		return nil, err
	}
	pointer := filepath.Join(data, socketPointer)
	if err := removeSocket(pointer); err != nil {
		return nil, err
	}
	if len(path) > maxSocketPath {
		folder, err := os.MkdirTemp("", "satellite-")
		if err != nil {
			return nil, err
		}
		path = filepath.Join(folder, socketFile)
		if err := os.WriteFile(pointer, []byte(path), 0o600); err != nil {
			return nil, err
		}
	} else if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace the old socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	// The folder around it is closed to others, so there is no moment in which
	// somebody else could connect.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// removeSocket clears away a short-path socket, at the end and after an end that was none.
func removeSocket(pointer string) error {
	old, err := os.ReadFile(pointer)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if path := string(old); strings.HasSuffix(path, "/"+socketFile) && strings.HasPrefix(filepath.Base(filepath.Dir(path)), "satellite-") {
		_ = os.Remove(path)
		_ = os.Remove(filepath.Dir(path))
	}
	return os.Remove(pointer)
}
