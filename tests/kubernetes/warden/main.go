// Command warden keeps the processes of a test control plane.
//
// It has two jobs that the tests, written in Rust without unsafe code, cannot
// do for themselves:
//
//	warden pki DIR        writes the keys and certificates of a cluster to DIR
//	warden supervise DIR  runs the programs named on its standard input until
//	                      that input ends, kills them and removes DIR
//
// It uses the standard library only, so that it is built in a moment and also
// serves people who bring their own Kubernetes binaries.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		usage()
	}
	job, dir := os.Args[1], os.Args[2]
	var err error
	switch job {
	case "pki":
		err = writePKI(dir)
	case "supervise":
		err = supervise(os.Stdin, dir)
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "warden %s: %v\n", job, err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: warden pki|supervise DIR")
	os.Exit(2)
}
