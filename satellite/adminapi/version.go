package adminapi

import "context"

// Version is which program answers, and for which satellite.
type Version struct {
	Version     string `json:"version" doc:"Of the program."`
	SatelliteID string `json:"satellite_id" doc:"As it stands in this satellite's tokens."`
	SetupNeeded bool   `json:"setup_needed" doc:"Nobody can sign in to the console yet."`
}

// getVersion reads the store, so that an answer means that the satellite works.
func (a *api) getVersion(ctx context.Context, _ *struct{}) (*output[Version], error) {
	needed, err := a.service.SetupNeeded(ctx)
	return answer(Version{Version: a.version, SatelliteID: a.service.ID(), SetupNeeded: needed}, err)
}
