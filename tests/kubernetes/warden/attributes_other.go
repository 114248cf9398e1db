//go:build unix && !linux

package main

import "syscall"

// attributes puts a child into its own process group. Other systems than Linux
// have no death signal: there the warden must be alive to clean up.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
