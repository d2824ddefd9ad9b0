//go:build lambda

package faas

import "errors"

var errNotSCF = errors.New("this binary is built for Lambda: deploy the one in dist/scf to SCF")

func serveSCF(*instance) error       { return errNotSCF }
func serveSCFCustom(*instance) error { return errNotSCF }
