package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// FileName is what the configuration is called where no name is given.
const FileName = "tocsin.yaml"

// Find returns the path of the configuration: what TOCSIN_CONFIG names, or
// tocsin.yaml beside the binary, or in the working directory. The error lists
// where it looked.
func Find(lookup Lookup) (string, error) {
	if path, _ := lookup("TOCSIN_CONFIG"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("TOCSIN_CONFIG does not name a configuration: %w", err)
		}
		return path, nil
	}
	var places []string
	if binary, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(binary), FileName))
	}
	places = append(places, FileName)
	for _, path := range places {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no configuration at %s; put one there, or name it by TOCSIN_CONFIG", strings.Join(places, ", nor at "))
}
