package api

// ProgramOperations returns the method and the path of every endpoint of the API for
// programs, such as "GET lag".
func ProgramOperations() (operations []string) {
	for path, methods := range new(api).programEndpoints() {
		for method := range methods {
			operations = append(operations, method+" "+path)
		}
	}
	return operations
}
