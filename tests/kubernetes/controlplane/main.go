// Command controlplane is the Kubernetes control plane that the tests run
// against: etcd, kube-apiserver, kube-controller-manager and kubectl of the
// published Go modules, unchanged, in one executable.
//
// One executable, because the four programs share most of their packages:
// they are compiled and linked once, and the build is what a fresh clone waits
// for. Which program runs is decided by the name that it is called by, as
// busybox does; the tests link all four names to it, so that a directory of
// links is laid out like the KUBEBUILDER_ASSETS of other projects.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/etcd/server/v3/etcdmain"
	// The same registrations as in the upstream main packages: credential
	// plugins for kubectl and the JSON log format for the servers.
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// programs maps the name of each program to the function that runs it with
// os.Args. The functions end the process themselves when they fail.
var programs = map[string]func(){
	"etcd":                    runEtcd,
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"kubectl":                 runKubectl,
}

func main() {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	run, known := programs[name]
	if !known && len(os.Args) > 1 {
		// Called by its own name: the first argument is the program.
		name = os.Args[1]
		run, known = programs[name]
		os.Args = os.Args[1:]
	}
	if !known {
		names := make([]string, 0, len(programs))
		for name := range programs {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(os.Stderr, "usage: controlplane %s [FLAGS]\n", strings.Join(names, "|"))
		os.Exit(2)
	}
	run()
}

func runEtcd() {
	etcdmain.Main(os.Args)
}

func runAPIServer() {
	os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
}

func runControllerManager() {
	os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
}

func runKubectl() {
	// kubectl reads its verbosity before it makes its command, as upstream's
	// main package does; a malformed flag is reported by the command itself.
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
