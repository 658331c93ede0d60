"""A server of the Model Context Protocol, made with the package `mcp`: one tool that answers, one that fails.

    python3 mcp_server.py PORT [json]
"""

import sys

from mcp.server import MCPServer

server = MCPServer("shop")


@server.tool()
def stock_of(article: str, least: int = 1) -> dict:
    """How many of an article are there."""
    return {"article": article, "count": 7, "enough": least <= 7}


@server.tool()
def order(article: str) -> str:
    """Orders an article."""
    raise ValueError(f"nobody sells {article} any more")


server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]), json_response=sys.argv[2:] == ["json"])
