# Installs the executable agent-auth for Windows, after checking it against SHA256SUMS.
#   AGENT_AUTH_URL  the folder of a release, which holds the executables and SHA256SUMS (required)
#   AGENT_AUTH_DIR  where to install; default: %LOCALAPPDATA%\Programs\agent-auth
$ErrorActionPreference = "Stop"
$ProgressPreference = "SilentlyContinue"

$url = $env:AGENT_AUTH_URL
if (-not $url) { throw "agent-auth was not installed: set AGENT_AUTH_URL to the folder of a release" }
$folder = $env:AGENT_AUTH_DIR
if (-not $folder) { $folder = Join-Path $env:LOCALAPPDATA "Programs\agent-auth" }

$name = "agent-auth-windows-x64.exe"
$temporary = Join-Path ([System.IO.Path]::GetTempPath()) ([System.Guid]::NewGuid())
New-Item -ItemType Directory -Path $temporary | Out-Null
try {
  Invoke-WebRequest -UseBasicParsing -Uri "$url/SHA256SUMS" -OutFile "$temporary\SHA256SUMS"
  Invoke-WebRequest -UseBasicParsing -Uri "$url/$name" -OutFile "$temporary\$name"
  $line = Get-Content "$temporary\SHA256SUMS" | Where-Object { ($_ -split " +")[1] -eq $name }
  if (-not $line) { throw "agent-auth was not installed: SHA256SUMS does not list $name" }
  $expected = ($line -split " +")[0]
  $actual = (Get-FileHash -Algorithm SHA256 "$temporary\$name").Hash
  if ($actual -ne $expected) { throw "agent-auth was not installed: the checksum of $name does not match" }
  $version = & "$temporary\$name" --version
  if ($LASTEXITCODE -ne 0) { throw "agent-auth was not installed: the executable does not run on this machine" }
  New-Item -ItemType Directory -Force -Path $folder | Out-Null
  Move-Item -Force "$temporary\$name" "$folder\agent-auth.exe"
} finally {
  Remove-Item -Recurse -Force $temporary
}
Write-Output "Installed agent-auth $version as $folder\agent-auth.exe"
if (($env:PATH -split ";") -notcontains $folder) { Write-Output "Add $folder to your PATH." }
